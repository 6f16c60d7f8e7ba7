"""What a text encoder reads."""

from millstream.models.item_text import DESCRIPTION_CHARACTERS, item_text


def test_of_html_the_words_are_read_and_comparisons_stay() -> None:
    page = "<p>Red&nbsp;lamp<br/>\n<script>var x = '<b>';</script><!-- no --> 3 < 5 &amp; x<y</p>"
    assert item_text("<b>Lamp</b>", page) == "Lamp\nRed lamp 3 < 5 & x<y"


def test_control_characters_are_spaces() -> None:
    assert item_text("a\x00b\x07c\x9fd") == "a b c d"


def test_markup_without_end_is_no_trap() -> None:
    long = "<script " * 100_000
    assert len(item_text("", long)) <= DESCRIPTION_CHARACTERS
