"""Requests, events and the runner that turns one into the other."""

from __future__ import annotations

from napari_sa2va.engine.events import (
    Event,
    FrameDone,
    Looking,
    MaskFound,
    ModelLoading,
    ModelReady,
    QuestionDone,
    QuestionStarted,
    RefinedMask,
    RefineDone,
    RunDone,
    TextChunk,
    TrackedObject,
    TrackSaved,
    TrackStarted,
)
from napari_sa2va.engine.phrases import ask_question, segment_questions
from napari_sa2va.engine.request import (
    AnyRequest,
    ChatRequest,
    MaskTrackRequest,
    ModelChoice,
    Question,
    RefineRequest,
    Request,
    TrackRequest,
)
from napari_sa2va.engine.runner import Runner, shared_runner
from napari_sa2va.model.prompts import CAPTION_QUESTION
from napari_sa2va.model.turns import Exchange

__all__ = [
    "CAPTION_QUESTION",
    "AnyRequest",
    "ChatRequest",
    "Event",
    "Exchange",
    "FrameDone",
    "Looking",
    "MaskFound",
    "MaskTrackRequest",
    "ModelChoice",
    "ModelLoading",
    "ModelReady",
    "Question",
    "QuestionDone",
    "QuestionStarted",
    "RefineDone",
    "RefineRequest",
    "RefinedMask",
    "Request",
    "RunDone",
    "Runner",
    "TextChunk",
    "TrackRequest",
    "TrackSaved",
    "TrackStarted",
    "TrackedObject",
    "ask_question",
    "segment_questions",
    "shared_runner",
]
