"""People who share a store: each with a store, a key and settings of her own, running the lab's specs."""

from __future__ import annotations

from graph.run import run
from store.open import open_store
from store.shared import SharedStore
from store.trust import Keyring


class Person:
    """Somebody with a store, a key and the same spec."""

    def __init__(self, lab, name, url, **said) -> None:
        self.lab = lab
        self.folder = lab.folder / name
        self.keyring = Keyring.load(self.folder / "keys")
        self.keyring.new(name)
        self.shared = SharedStore(url, **said)

    @property
    def store(self):
        """The store as a new process opens it."""
        return open_store(str(self.folder / "store"), [self.shared], Keyring.load(self.folder / "keys"))

    def trust(self, other) -> None:
        self.keyring.trust(other.keyring.own, other.folder.name)

    def run(self, text, *settings, **options):
        self.lab.forget()
        self.used = self.store
        return run(self.lab.load(text, *settings), self.used, list(settings), **options)

    @property
    def tier(self):
        return self.used.tiers.all[0]
