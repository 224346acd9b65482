"""The richer synthetic microscopy: scenes, clips and stacks with known answers, and words for them.

What `samples.scenes` draws is what the first demo checkpoint was made of, and stays as it is. Here
cells also have a texture, touch and overlap, lie on uneven ground in images of any size, in colour
or in grey levels, and leave and come back in clips.
"""
