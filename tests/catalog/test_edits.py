"""What the log is told of an edit: columns before and after, of sealed ones only whether they are set."""

from tollbridge.catalog.edits import edit_of


def test_columns_before_and_after() -> None:
    edit = edit_of("x.change", "x", {"rpm": 1, "name": "a"}, 7, "a", {"rpm": 2})
    assert (edit.id, edit.name, edit.before, edit.after) == (7, "a", {"rpm": 1}, {"rpm": 2})


def test_what_is_new_has_no_before() -> None:
    edit = edit_of("x.make", "x", None, 7, "a", {"id": 7, "created_ms": 3, "rpm": 2})
    assert (edit.before, edit.after) == ({}, {"rpm": 2})


def test_sealed_columns_are_only_said_to_be_set() -> None:
    names = ("secret", "proxy", "headers")
    edit = edit_of(
        "x.change",
        "x",
        dict.fromkeys(names, "CANARY"),
        7,
        "a",
        {**dict.fromkeys(names, ""), "proxy": "CANARY2"},
    )
    assert edit.before == dict.fromkeys(names, "set")
    assert edit.after == {"secret": "none", "proxy": "set", "headers": "none"}
