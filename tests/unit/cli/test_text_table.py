from tramontane.cli.text_table import text_table


def test_columns_are_as_wide_as_what_is_in_them_and_numbers_stand_to_the_right():
    table = text_table(["NAME", "TOKENS", ""], [["a", "7", "x"], ["longer", "1,000,000", ""]], ["TOKENS"])

    assert table.splitlines() == [
        "NAME       TOKENS",
        "a               7  x",
        "longer  1,000,000",
    ]


def test_nothing_in_a_cell_commands_the_terminal():
    assert "\x1b" not in text_table(["NAME"], [["\x1b[2J"]])
