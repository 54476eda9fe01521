"""What a deployment may decide, and how it hears what it got wrong."""

from dataclasses import fields

import pytest

from chalicelib.config import DEFAULTS, PRODUCT_NAMES, REQUIRED, Config, MisconfiguredError
from chalicelib.core.plan import NAMES, PRODUCTS

GIVEN = dict.fromkeys(REQUIRED, "x")


def test_whatever_need_not_be_said_has_a_default() -> None:
    config = Config.read(GIVEN)

    assert {field.name for field in fields(Config)} == {name.lower() for name in (*REQUIRED, *DEFAULTS)}
    assert (config.grace_minutes, config.url_seconds, config.mix_lufs) == (15, 900, -16.0)
    assert config.products == PRODUCTS


def test_the_settings_know_every_product_that_can_be_asked_for() -> None:
    assert set(NAMES) == PRODUCT_NAMES


@pytest.mark.parametrize(
    ("products", "lufs", "read"),
    [
        ("mix", "off", (("mix",), None)),
        ("stem:wav,stem,stem", "-23.5", (("stem:wav", "stem"), -23.5)),
        ("", "", (PRODUCTS, -16.0)),
    ],
)
def test_products_and_loudness_are_read(products: str, lufs: str, read: tuple[object, ...]) -> None:
    config = Config.read({**GIVEN, "PRODUCTS": products, "MIX_LUFS": lufs})

    assert (config.products, config.mix_lufs) == read


WRONG = [
    ("GRACE_MINUTES", "soon", "GRACE_MINUTES must be a whole number, not 'soon'"),
    ("URL_SECONDS", "-1", "URL_SECONDS must be a whole number, not '-1'"),
    ("PRODUCTS", "mix,smell", "PRODUCTS must be some of av, mix, .*, with commas between, not 'mix,smell'"),
    ("PRODUCTS", "mix, stem", "PRODUCTS must be"),
    ("MIX_LUFS", "loud", "MIX_LUFS must be a loudness from -40 to -5, or off, not 'loud'"),
    ("MIX_LUFS", "0", "MIX_LUFS must be"),
    ("MIX_LUFS", "nan", "MIX_LUFS must be"),
]


@pytest.mark.parametrize(("name", "value", "told"), WRONG)
def test_a_setting_that_is_wrong_is_named_with_what_would_be_right(name: str, value: str, told: str) -> None:
    with pytest.raises(MisconfiguredError, match=told):
        Config.read({**GIVEN, name: value})


def test_all_faults_are_named_together() -> None:
    with pytest.raises(MisconfiguredError, match=r"GRACE_MINUTES.*; MIX_LUFS"):
        Config.read({**GIVEN, "GRACE_MINUTES": "x", "MIX_LUFS": "y"})
    with pytest.raises(MisconfiguredError, match="TABLE, RECORDINGS_BUCKET"):
        Config.read({})
