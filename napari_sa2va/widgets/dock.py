"""The dock widget: its parts, put together."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QApplication, QFrame, QScrollArea, QVBoxLayout, QWidget
from superqt.utils import WorkerBase

from napari_sa2va.engine import shared_runner
from napari_sa2va.errors import Sa2VAError
from napari_sa2va.viewer import snapshot
from napari_sa2va.viewer.glyphs import glyphs_drawn
from napari_sa2va.viewer.labels import suitable_targets
from napari_sa2va.viewer.preferences import setting
from napari_sa2va.viewer.results import results_of
from napari_sa2va.viewer.stack import stack_axes
from napari_sa2va.widgets import shortcuts
from napari_sa2va.widgets.active_run import place_of
from napari_sa2va.widgets.ask_panel import AskPanel
from napari_sa2va.widgets.asked import Asked
from napari_sa2va.widgets.canvas_keys import CanvasKeys
from napari_sa2va.widgets.chat_part import ChatPart
from napari_sa2va.widgets.closing import Closing
from napari_sa2va.widgets.controller import RunController
from napari_sa2va.widgets.correct_part import CorrectPart
from napari_sa2va.widgets.exchange import Exchange
from napari_sa2va.widgets.list_keys import ListKeys
from napari_sa2va.widgets.memory import DockState
from napari_sa2va.widgets.message_bar import MessageBar
from napari_sa2va.widgets.messages import Message
from napari_sa2va.widgets.model_panel import ModelPanel
from napari_sa2va.widgets.objects_panel import ObjectsPanel
from napari_sa2va.widgets.offers import Offers
from napari_sa2va.widgets.options_panel import OptionsPanel
from napari_sa2va.widgets.regions_part import RegionsPart
from napari_sa2va.widgets.section import Section
from napari_sa2va.widgets.session_row import SessionRow
from napari_sa2va.widgets.source_panel import SourcePanel
from napari_sa2va.widgets.spare_time import SpareTime
from napari_sa2va.widgets.stack_panel import StackPanel
from napari_sa2va.widgets.stack_texts import cost
from napari_sa2va.widgets.threshold_row import ThresholdRow
from napari_sa2va.widgets.wheel import WheelGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import napari

    from napari_sa2va.engine import ModelChoice, ModelReady, Runner
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.run import LabelRun

WIDTH: Final = 320
_QUIT_MILLISECONDS: Final = 10_000


class Sa2VAWidget(QWidget):
    """Type an expression over an image, get labels.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Looked at and written to.
    runner : Runner, optional
        Shared by all docks if left out.
    """

    _docked = False

    def __init__(
        self,
        napari_viewer: napari.viewer.Viewer,
        runner: Runner | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        # napari hands plugins a proxy that wraps layers too, and those are compared here.
        self._viewer: Any = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self._runner = runner or shared_runner()
        self._runner.cache_bytes = int(setting("cache", "megabytes", "2048")) * 10**6
        self._state = DockState.load()
        self._images_asked: tuple[Any, ...] = ()
        self._results = results_of(self._viewer)
        self.controller = RunController(self._viewer, self._results, self._runner)
        self._keys = CanvasKeys(self._viewer)

        self.source = SourcePanel(self._viewer)
        self.model = ModelPanel(self._runner)
        self.ask = AskPanel(shortcuts.key("run"), shortcuts.key("cancel"))
        self.stack = StackPanel()
        self.offers = Offers(self.model, self.ask, self.stack)
        self.messages = MessageBar()
        self.objects = ObjectsPanel(self._viewer)
        self.threshold = ThresholdRow()
        self.correct = CorrectPart(
            self._viewer, self._results, self._runner, self.asked, self.controller.follow, self
        )
        correcting = self.correct.correcting
        self.controller.correcting = lambda: correcting.state.on
        self.regions = RegionsPart(self._viewer, self._results, self.controller, self.asked)
        self.ask.place_regions(self.regions.panel)
        self.options = OptionsPanel()
        self.session = SessionRow(
            self._viewer, self.controller.conversation, lambda: self.source.images
        )
        self.chat = ChatPart(
            self._viewer, self.controller, self.ask, self.asked, lambda: self.session.path
        )
        self.sections = {
            "Image and model": Section("Image and model", _column(self.source, self.model)),
            "Ask": Section("Ask", self.ask),
            "Through z or time": Section("Through z or time", self.stack),
            "Objects": Section("Objects", _column(self.objects, self.threshold)),
            "Correct": Section("Correct", self.correct.panel),
            "Options": Section("Options", self.options),
        }
        self._lay_out()
        self.sections[self.objects.measured.title] = self.objects.measured
        self.exchange = Exchange(
            self._viewer, lambda: self.objects.objects, lambda: self.source.images
        )
        self.objects.place_exchange(self.exchange)
        self.sections["Objects"].add_corner(self.exchange)
        self._recall()
        self.bind({"run": self.run, "cancel": self.controller.cancel})
        self.bind(self.objects.commands.by_name)
        self.bind({"copy_measured": self.objects.numbers.copy, "export": self.exchange.open_menu})
        self.bind(self.correct.actions)
        self.bind(self.regions.actions)
        self._connect()
        if clashes := shortcuts.clashes():
            self.messages.show_message(Message(clashes, "warning"))
        self.session.begin()
        self._on_source()
        ListKeys(self)
        WheelGuard(self)
        SpareTime(glyphs_drawn(self._viewer), self)

    def _lay_out(self) -> None:
        source, ask, stack, objects, correct, options = self.sections.values()
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(6, 4, 6, 6)
        column.setSpacing(6)
        column.addWidget(source)
        column.addWidget(ask, stretch=3)
        column.addWidget(self.offers)
        column.addWidget(stack)
        column.addWidget(self.messages)
        column.addWidget(objects, stretch=2)
        column.addWidget(correct)
        column.addWidget(options)
        column.addStretch(0)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)
        layout.addWidget(self.session)
        self.setMinimumWidth(WIDTH)
        self.setFocusProxy(self.ask.composer)

    # --- wires ---

    def _connect(self) -> None:
        controller, layers = self.controller, self._viewer.layers.events
        self.ask.run_clicked.connect(self.run)
        self.ask.cancel_clicked.connect(controller.cancel)
        controller.stage.connect(self.ask.show_stage)
        self.chat.told.connect(self.messages.show_message)
        controller.told.connect(self.messages.show_message)
        self.objects.told.connect(self.messages.show_message)
        controller.busy_changed.connect(self._on_busy)
        controller.model_ready.connect(self._on_model_ready)
        controller.writing.connect(self._on_writing)
        controller.painted.connect(self._on_painted)
        controller.turn_done.connect(self.session.note_turn)
        self.session.told.connect(self.messages.show_message)
        self.session.said.connect(self.chat.recall)
        self.regions.told.connect(self.messages.show_message)
        self.objects.describe_clicked.connect(self._on_describe)
        self.objects.rerun_clicked.connect(self._on_rerun)
        self.source.changed.connect(self._on_source)
        self.model.changed.connect(self._on_model)
        self.model.known_changed.connect(self._on_known)
        self.options.changed.connect(self._on_options)
        self.stack.changed.connect(self._on_stack)
        self.stack.resume_clicked.connect(self._on_resume)
        self._results.removed.connect(self._on_removed)
        self._results.refused.connect(self._on_refused)
        self.correct.correcting.told.connect(self.messages.show_message)
        self.correct.correcting.refining.ready.connect(self._on_model_ready)
        self.correct.correcting.accepted.connect(self._on_source)
        layers.inserted.connect(self._on_source)
        layers.removed.connect(self._on_source)
        for section in self.sections.values():
            section.toggled.connect(self._remember)
        for button in (self.ask.segment, self.ask.ask, self.ask.describe):
            button.toggled.connect(self._remember)
        # A docked widget is told nothing when napari closes, only destroyed.
        self._closing = Closing(
            self.controller.close,
            self.chat.close,
            self.exchange.close_task,
            self.objects.close_tasks,
            self.session.close_session,
            self.correct.correcting.close,
            self.source.close_connections,
            self._keys.unbind,
        )
        self.destroyed.connect(self._closing)
        QApplication.instance().aboutToQuit.connect(self._on_quit)

    def bind(self, actions: Mapping[str, Callable[[], Any]]) -> None:
        """Give actions their keys, in the dock and on the canvas.

        Parameters
        ----------
        actions : mapping of str to bound method
            By their names in `shortcuts.SHORTCUTS`. Bind all of a part at once, and each once.
        """
        for name, action in actions.items():
            key = shortcuts.key(name)
            if key:
                self._keys.bind(key, action)
                shortcut = QShortcut(QKeySequence(key), self)
                shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
                shortcut.activated.connect(action)

    def run(self) -> None:
        """Ask what was typed."""
        if self.controller.ask(self.asked()):
            self.chat.ran()
            self.ask.note_run()
            self._remember()

    def asked(self) -> Asked:
        """Put together what Run sends."""
        return Asked(
            text=self.ask.text,
            mode=self.ask.mode,
            images=self.source.images,
            look_at=self.source.look_at,
            model=self.model.choice,
            target=self.options.target.currentData(),
            replace=self.options.replaces,
            ask_overlap=self.options.rule == "ask",
            split=self.options.splits,
            track=self.stack.options,
            regions=self.regions.choice,
            movie=self.ask.bar.movie if self.ask.mode == "ask" else None,
            frames=self.ask.bar.frames.value(),
            instead_of=self.chat.instead_of,
        )

    # --- what happens ---

    def _on_busy(self, busy: bool) -> None:
        self.ask.set_busy(busy)
        self.model.refresh(loading=busy)
        self._show_cost()
        if busy:
            self._images_asked = self.source.images
        elif self._images_asked != self.source.images or self.objects.objects is None:
            self._on_source()  # others were chosen meanwhile, or the layer was deleted

    def _on_model_ready(self, ready: ModelReady, asked: ModelChoice) -> None:
        self.model.show_ready(ready, asked)
        if asked == self.model.choice:  # a tracking that is resumed has the model that it had
            self.stack.show_consistent(ready.consistent)

    def _on_writing(self, objects: LabelObjects) -> None:
        objects.show_captions = self.options.captions.isChecked()
        self.objects.show_objects(objects)
        self.session.follow(objects)
        self.chat.follow(objects)
        self.correct.correcting.target.follow(objects)

    def _on_painted(self, run: LabelRun | None) -> None:
        self.threshold.set_run(run)

    def _on_model(self) -> None:
        self.controller.cancel("The model was changed, so the run was ended.")
        self.correct.correcting.settings_changed()
        self.stack.show_consistent(True)  # until it is loaded and says otherwise
        self._remember()
        self._summarize()

    def _on_known(self) -> None:
        if self.model.known.here:
            self.correct.correcting.refining.found_here(self.model.known.name)

    def _on_refused(self, sentence: str) -> None:
        self.messages.show_message(Message(sentence, "warning"))

    def _on_describe(self, labels: tuple[int, ...]) -> None:
        if self.objects.objects is not None:
            self.regions.describe(self.objects.objects, tuple(labels))

    def _on_rerun(self, label: int) -> None:
        if self.objects.objects is not None:
            self.regions.ask_again(self.objects.objects, label)

    def _on_options(self) -> None:
        objects = self.objects.objects
        if objects is not None and objects.show_captions != self.options.captions.isChecked():
            objects.show_captions = self.options.captions.isChecked()
            objects.show()
        self.correct.correcting.settings_changed()
        self._on_source()
        self._remember()

    def _on_stack(self) -> None:
        self.regions.panel.offer_follow(self.stack.axis is not None)
        self._show_cost()
        self._summarize()
        self._remember()

    def _on_resume(self) -> None:
        wanted = self.stack.options
        if wanted is not None:
            self.controller.go_on(wanted)

    def _show_cost(self) -> None:
        """Say what following would take, and whether the last tracking can go on."""
        wanted, resume = self.stack.options, ""
        if wanted is not None:
            there = self.objects.objects is not None
            tracks, turns = self.controller.tracks, self.stack.turns
            seconds = tracks.time_for(self.model.choice.name)
            try:
                # Not the movie that a question may be about: that can lie along another axis.
                place, _ = place_of(self._viewer, replace(self.asked(), movie=None))
                text = cost(place, wanted, seconds, there=there, turns=turns)
            except Sa2VAError as error:
                self.stack.show_cost(str(error))
            else:
                self.stack.show_cost(text)
                if tracks.paused is not None and not self.controller.busy:
                    resume = tracks.paused.offer(place.key, wanted)
        self.stack.offer_resume(resume)

    def _on_source(self, *_: object) -> None:
        """Offer the layers that fit the image, and show the objects of the one that is chosen."""
        self._summarize()
        images = self.source.images
        try:
            placement = snapshot(self._viewer, images, "whole").placement
            self.options.set_targets(list(suitable_targets(self._viewer, placement)))
            target = self.options.target.currentData()
            objects = self._results.existing(images, placement, target)
            if objects is not None:
                objects.show_captions = self.options.captions.isChecked()
        except Sa2VAError:  # said when it matters: at Run
            # A look in 3-D must not make the next run write into another layer than was chosen.
            if self.options.target.currentData() not in self._viewer.layers:
                self.options.set_targets(())
            objects = None
        self.stack.set_axes(stack_axes(self._viewer, images))
        self.ask.bar.set_axes(stack_axes(self._viewer, images))
        self.chat.show_images(frozenset(layer.unique_id for layer in images), objects)
        self.regions.refresh(objects, follows=self.stack.axis is not None)
        own = objects
        if objects is None:
            objects = self.regions.described
        if not self.controller.busy:
            self.objects.show_objects(objects)
            self.session.follow(objects, written=own is not None)
        self.correct.correcting.target.follow(objects)
        self.correct.panel.show_stack(self.stack.offers)
        stack = self.sections["Through z or time"]
        stack.setVisible(self.stack.offers)
        self._show_cost()

    def _on_removed(self, objects: LabelObjects) -> None:
        """Show no layer that was deleted, also where a run goes on."""
        if objects is self.objects.objects:
            self.objects.show_objects(None)
            self.session.follow(None)
        self._on_source()

    def _summarize(self) -> None:
        images = ", ".join(layer.name for layer in self.source.images) or "no image"
        self.sections["Image and model"].summarize(f"{images} · {self.model.short_name}")
        self.sections["Options"].summarize(self.options.summary)
        self.sections["Through z or time"].summarize(self.stack.summary)
        self.sections["Correct"].summarize(self.correct.panel.summary)

    # --- what is remembered ---

    def _recall(self) -> None:
        state = self._state
        self.model.name = state.model
        self.ask.mode = state.mode
        self.stack.remember(state.follow)
        self.stack.sam2_file = state.sam2_file
        self.options.choose(rule=state.overlap, split=state.split, captions=state.captions)
        for title in state.folded:
            if title in self.sections:
                self.sections[title].unfold(False)

    def _remember(self, *_: object) -> None:
        self._state = DockState(
            model=self.model.name,
            mode=self.ask.mode,
            overlap=self.options.rule,
            split=self.options.splits,
            captions=self.options.captions.isChecked(),
            follow=self.stack.remembered,
            sam2_file=self.stack.sam2_file,
            folded=[title for title, part in self.sections.items() if not part.unfolded],
        )
        self._state.save()

    # --- the end ---

    def changeEvent(self, event: QEvent | None) -> None:
        """End with the dock: where it is closed, napari only takes the widget out of it.

        Hidden, floating or among tabs, it stays in its QDockWidget.
        """
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.ParentChange:
            was, self._docked = self._docked, self.parent() is not None
            if was and not self._docked:
                self._end()

    def _end(self) -> None:
        """Take everything off the viewer, and go; without a place in a window none would see it."""
        self.controller.leave()  # while the session still hears of what a run has found
        self.correct.correcting.turn(False)
        self.chat.leave()
        layers = self._viewer.layers.events
        layers.inserted.disconnect(self._on_source)
        layers.removed.disconnect(self._on_source)
        self._results.removed.disconnect(self._on_removed)
        self._results.refused.disconnect(self._on_refused)
        self._closing()
        self.correct.correcting.drawing.remove()
        self.threshold.set_run(None)
        self.objects.show_objects(None)
        self.deleteLater()

    def _on_quit(self) -> None:
        """Let the run end before Python does: a thread that still runs then would abort it."""
        self.controller.close()
        self.controller.dialogue.end(tell=False)
        self.exchange.close_task()
        self.objects.close_tasks()
        self.correct.correcting.close()
        # The runner looks at its cancel event between two tokens, so this is short.
        with suppress(RuntimeError):  # it took longer
            WorkerBase.await_workers(_QUIT_MILLISECONDS)
        self.session.close_session()


def open_dock(viewer: napari.viewer.Viewer) -> None:
    """Open the dock in a viewer, or bring it to the front; a command of the plugin."""
    dock, _ = viewer.window.add_plugin_dock_widget("napari-sa2va", "Sa2VA")
    dock.show()
    dock.raise_()


def _column(*widgets: QWidget) -> QWidget:
    """Put widgets below each other; the first grows."""
    column = QWidget()
    layout = QVBoxLayout(column)
    layout.setContentsMargins(8, 0, 0, 0)
    layout.setSpacing(8)
    for number, widget in enumerate(widgets):
        layout.addWidget(widget, stretch=int(number == 0))
    return column
