"""What is still to be made of what."""

import json
import re
from dataclasses import replace

from chalicelib.core import events as e
from chalicelib.core.ids import Kind
from chalicelib.core.plan import OF_A_SEGMENT, step_of, steps
from tests.builders import ASKED, RID, SESSION, WHO, ZERO, A, B, given_up, rejected, stored

PICTURE = stored(A, kind=Kind.VIDEO, duration_ms=4000)


def made(key: str) -> e.ArtifactMade:
    """A step's fact."""
    return e.ArtifactMade(
        at=1, product="poster", key=key, content_type="image/jpeg", bytes=1, participant_id=WHO,
        kind=Kind.VIDEO, source="s", start=0, end=1,
    )  # fmt: skip


def failed(key: str) -> e.ProductFailed:
    """A step's other fact."""
    return e.ProductFailed(at=1, product="poster", key=key, source="s", reason="no picture")


def test_a_picture_has_a_poster() -> None:
    [step] = steps(RID, [ASKED, PICTURE])

    assert (step.product, step.recording_id, step.participant_id) == ("poster", RID, WHO)
    assert (step.source, step.content_type) == (PICTURE.repaired_key, "image/jpeg")
    assert (step.start, step.end) == (ZERO, ZERO + 4000)
    assert re.fullmatch(rf"sessions/{SESSION}/{WHO}/video/poster1-{ZERO}-0123456789abcdef\.jpg", step.target)


def test_sound_and_what_could_not_be_read_have_none() -> None:
    assert steps(RID, [stored(A), stored(B, kind=Kind.SCREEN_AUDIO), rejected(B)]) == []


def test_what_is_made_or_can_not_be_made_is_not_made_again() -> None:
    target = steps(RID, [PICTURE])[0].target

    assert steps(RID, [PICTURE, made(target)]) == []
    assert steps(RID, [PICTURE, failed(target)]) == []
    assert steps(RID, [PICTURE, replace(given_up(A), target=target)]) == []
    assert len(steps(RID, [PICTURE, made("another"), given_up(A)])) == 1


def test_an_overwritten_object_is_made_anew() -> None:
    again = replace(PICTURE, etag="e2", repaired_key=PICTURE.repaired_key.replace("0123", "3210"))

    targets = {step.target for step in steps(RID, [PICTURE, again])}

    assert len(targets) == 2


def test_the_order_of_facts_says_nothing() -> None:
    other = stored(B, kind=Kind.SCREEN_VIDEO, start_at=ZERO + 10_000)

    assert steps(RID, [PICTURE, other]) == steps(RID, [other, PICTURE])


def test_a_step_survives_the_queue() -> None:
    [step] = steps(RID, [PICTURE])

    assert step_of(json.loads(json.dumps(step.told()))) == step


def test_a_target_is_named_after_product_and_recipe() -> None:
    # Another version of a recipe must give another key: files are never written over.
    for recipe in OF_A_SEGMENT:
        kind = min(recipe.kinds)
        [step] = steps(RID, [stored(A, kind=kind)])
        assert f"/{recipe.product}{recipe.version}-" in step.target
