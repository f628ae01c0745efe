"""Tests of what is stored encrypted: it can be read back, by its keys alone, also while a key is replaced."""

import pytest

from config.sealing import Sealer, UnsealError
from config.signed_links import Signer


def test_what_was_sealed_is_read_back() -> None:
    sealer = Sealer(["a passphrase"])
    assert sealer.unseal(sealer.seal("whsec_ä€🔑")) == "whsec_ä€🔑"


def test_sealed_text_reveals_nothing_and_never_repeats() -> None:
    sealer = Sealer(["a passphrase"])
    assert "whsec" not in sealer.seal("whsec_secret")
    assert sealer.seal("whsec_secret") != sealer.seal("whsec_secret")


def test_a_new_key_seals_and_the_old_one_unseals() -> None:
    old, rotated, new = Sealer(["old"]), Sealer(["new", "old"]), Sealer(["new"])
    assert rotated.unseal(old.seal("kept")) == "kept"
    assert new.unseal(rotated.seal("fresh")) == "fresh"


def test_nothing_is_unsealed_without_its_key() -> None:
    with pytest.raises(UnsealError, match="ENCRYPTION_KEYS no longer holds"):
        Sealer(["new"]).unseal(Sealer(["old"]).seal("lost"))


@pytest.mark.parametrize("stored", ["", "not sealed at all", "gAAAAA==", "ä"])
def test_what_was_never_sealed_is_refused(stored: str) -> None:
    with pytest.raises(UnsealError):
        Sealer(["key"]).unseal(stored)


def test_a_changed_text_is_refused() -> None:
    sealed = Sealer(["key"]).seal("pay 10")
    changed = sealed[:-10] + ("A" if sealed[-10] != "A" else "B") + sealed[-9:]
    with pytest.raises(UnsealError):
        Sealer(["key"]).unseal(changed)


@pytest.mark.parametrize("passphrases", [[], [""], ["good", ""], ["good", "  "]])
def test_nothing_is_sealed_or_signed_with_an_empty_key(passphrases: list[str]) -> None:
    with pytest.raises(ValueError, match="empty passphrase"):
        Sealer(passphrases)
    with pytest.raises(ValueError, match="empty passphrase"):
        Signer(passphrases, "unsubscribe")
