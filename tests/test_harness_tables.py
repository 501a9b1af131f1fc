"""Tables by name from files of four formats: nothing is guessed, nothing fills the memory, every error has its line."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.data import stream, tables
from harness.data.stream import Style
from harness.errors import BadData

ROOT = Path(__file__).parent.parent
ROWS = [("good day", "joy"), ('say "no", twice', "01"), ("NA", "null"), ("two\nlines", ""), ("naïve", "joy")]


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def quoted(cells: Sequence[str], delimiter: str) -> str:
    return delimiter.join('"' + cell.replace('"', '""') + '"' for cell in cells)


def files(folder: Path) -> dict[str, Path]:
    """The same rows in each format."""
    head, names = ("other", "body", "tag"), ("body", "tag")
    text = {d: "\r\n".join(quoted(row, d) for row in (head, *(("x", *row) for row in ROWS))) for d in ",\t"}
    lines = "\n\n".join(json.dumps({"tag": tag, "extra": [1], "body": body}) for body, tag in ROWS)
    made = {
        "csv": write(folder / "a.csv", "\ufeff" + text[","]),
        "tsv": write(folder / "a.tsv", text["\t"] + "\r\n"),
        "jsonl": write(folder / "a.jsonl", lines),
        "gz": write(folder / "a.jsonl.gz", gzip.compress(lines.encode())),
        "parquet": folder / "a.parquet",
    }
    pq.write_table(pa.table({n: list(c) for n, c in zip(names, zip(*ROWS, strict=True), strict=True)}), made["parquet"])
    return made


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "gz", "parquet"])
def test_every_format_gives_the_same_cells_as_they_are(tmp_path: Path, kind: str) -> None:
    table = tables.read([files(tmp_path)[kind]], ["tag", "body"])
    assert list(zip(table.columns["body"], table.columns["tag"], strict=True)) == ROWS and len(table) == len(ROWS)


@pytest.mark.parametrize(
    ("kind", "places"),
    [("csv", [2, 3, 4, 5, 7]), ("tsv", [2, 3, 4, 5, 7]), ("jsonl", [1, 3, 5, 7, 9]), ("parquet", [1, 2, 3, 4, 5])],
)
def test_a_row_is_found_again_in_its_file_whatever_lines_and_blanks_stand_before(
    tmp_path: Path, kind: str, places: list[int]
) -> None:
    path = files(tmp_path)[kind]
    table = tables.read([path, path], ["body"])
    word = "row" if kind == "parquet" else "line"
    assert [table.where(row) for row in range(10)] == [f"{path}, {word} {n}" for n in places * 2]


def test_what_is_missing_is_none_where_the_format_can_say_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"body": "x", "tag": null}\n{"body": "y"}\n{"tag": 3, "body": "z"}')
    assert tables.read([path], ["tag"]).columns["tag"] == [None, None, 3]
    pq.write_table(pa.table({"tag": [1, None, 3]}), tmp_path / "a.parquet")
    assert tables.read([tmp_path / "a.parquet"], ["tag"]).columns["tag"] == [1, None, 3]
    assert tables.read([write(tmp_path / "a.csv", "tag,x\n,1\n2,1")], ["tag"]).columns["tag"] == ["", "2"]


def test_names_of_classes_that_datasets_wrote_are_kept(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features({"tag": datasets.ClassLabel(names=["no", "yes"]), "body": datasets.Value("string")})
    datasets.Dataset.from_dict({"tag": [1, 0], "body": ["a", "b"]}, features).to_parquet(tmp_path / "a.parquet")
    table = tables.read([tmp_path / "a.parquet"], ["tag"])
    assert table.columns == {"tag": [1, 0]} and table.classes == {"tag": ("no", "yes")}


def test_quotation_marks_mean_nothing_where_one_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", 'body\ttag\n"hello\t1\nthere"\t0\n')
    assert tables.read([path], ["body"], Style("\t", quote=False)).columns["body"] == ['"hello', 'there"']
    assert tables.read([path], ["body"], Style("\t", sure=True)).columns["body"] == ["hello\t1\nthere"]


STRAY = {  # rows that quotation marks which mean nothing would swallow in silence -> what is said of them
    'x,"so it began,1\ny,it went on,0\nz,"and ended,1\n': r"line 3: a quotation mark closes .* on line 5; write it",
    'x,"so it began,1\ny,it "went" on,0\n': "line 3: a quotation mark closes in the midst of a cell on line 4",
    'x,"so it began.,1\ny,and ended.",0\n': r"line 3: by its quotation marks this row goes on to line 4, but each of",
    'x,"so it began.,1\n\ny,it went on,0\nz,and ended.",0\n': "line 3: .* goes on to line 6, but each of these 3",
    '"x,so it began,1\ny",it went on,0\n': "line 3: by its quotation marks this row goes on to line 4",
    'x,"it said \\"no\\" once",1\n': "line 3: a quotation mark closes in the midst of a cell on line 3",
    'x,"no" it said,1\n': "line 3: a quotation mark closes in the midst of a cell on line 3",
    'x,"so it began,1\ny,it went on,0\n': "line 3: a quotation mark opens here and never closes",
}


@pytest.mark.parametrize("wanted", [["body", "tag"], ["tag"]], ids=["the cell is kept", "another is"])
@pytest.mark.parametrize("delimiter", [",", "\t"], ids=["csv", "tsv"])
@pytest.mark.parametrize("rows", STRAY)
def test_a_stray_quotation_mark_swallows_no_rows(tmp_path: Path, rows: str, delimiter: str, wanted: list[str]) -> None:
    text = f"id,body,tag\na,first,1\n{rows}b,last,0\n".replace(",", delimiter)
    path = write(tmp_path / ("a.tsv" if delimiter == "\t" else "a.csv"), text)
    said = f"^{path}, {STRAY[rows]}.*quote = false if quotation marks mean nothing"
    with pytest.raises(BadData, match=said) as caught:
        tables.read([path], wanted)
    assert "\n" not in str(caught.value)
    plain = tables.read([path], ["body"], Style(delimiter, quote=False)).columns["body"]
    assert len(plain) == sum(map(bool, text.splitlines())) - 1, "each line is a row"


def test_quotation_marks_in_a_cell_and_rows_of_several_lines_are_what_they_are(tmp_path: Path) -> None:
    text = 'body,tag\n6" wide,1\n"say ""no"", twice",0\n"one,\n\nand, two",1\n"",0\n'
    assert tables.read([write(tmp_path / "a.csv", text)], ["body"]).columns["body"] == [
        *('6" wide', 'say "no", twice', "one,\n\nand, two", "")
    ]


def test_a_column_without_a_name_is_read_where_it_is_asked_for_and_there_once(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ",body\n7,x\n")
    assert tables.read([path], ["", "body"]).columns == {"": ["7"], "body": ["x"]}
    path = write(tmp_path / "b.csv", ",,body\n7,8,x\n")
    assert tables.read([path], ["body"]).columns == {"body": ["x"]}
    with pytest.raises(BadData, match=r"column .one without a name. is there 2 times"):
        tables.read([path], ["", "body"])


def test_a_row_that_names_the_columns_once_more_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "body,tag\nbody,x\n\nbody,tag\ny,tag\n")
    with pytest.raises(BadData, match=f"^{path}, line 4: it names the columns once more; take this line out$"):
        tables.read([path], ["tag", "body"])
    assert len(tables.read([path], ["tag"])) == 3, "a cell that is called as its column is a cell"


BAD = {  # file -> what the error says, behind the file's name
    "a.csv": [
        ("", ": it is empty"),
        ("\n\n", ": it is empty"),
        ("body,tags\nx,y\n", r": no column named 'tag'. Did you mean 'tags'\? Known: body, tags"),
        ("body;tag\nx;y\n", r": no column named .tag..*if .;. stands between its cells, write delimiter = .;."),
        ("body,tag,tag\nx,y,z\n", ": column tag is there 2 times"),
        (",body,label\n0,x,y\n", r": no column named 'tag'. Known: .one without a name., body, label"),
        ("body,label,\nx,y,\n", r": no column named 'tag'. Known: .one without a name., body, label"),
        ('body,tag\nx,"y\nz"\nx\n', ", line 4: 1 cells, and the first line names 2 columns"),
        ("body,tag\nx,y\nx,y,z\n", ", line 3: 3 cells, and the first line names 2 columns"),
        ('body,tag\na,b\nx,"y\nz,w\n', ", line 3: a quotation mark opens here and never closes"),
        (b"body,tag\nx,y\n\xff\xfe,y\n", ", line 3: not UTF-8"),
        ("body,tag\nx,y\n".encode("utf-16"), ", line 1: (it holds a zero byte|not UTF-8)"),
        (b"body,tag\nx,y\0\n", ", line 2: it holds a zero byte"),
    ],
    "a.jsonl": [
        ("\n \n", ": it is empty"),
        ('{"body": 1, "tag": 1}\n{"body"', ", line 2: not a row of JSON lines"),
        ('{"body": 1, "tag": 1, "tag": 2}', ", line 1: not a row of JSON lines .it names tag twice"),
        ('[{"body": 1}]', ", line 1: it is no object.*that is one list is no JSON lines"),
        (b'{"body": 1, "tag": 1}\n{"body": "\xff"}', ", line 2: not a row of JSON lines .not UTF-8"),
        ('{"body": 1}', ": no column named 'tag'"),
        ('{"": 1, "body": 1}', ": no column named 'tag'"),
        ("[" * 100_000, ", line 1: not a row of JSON lines"),
    ],
    "a.parquet": [("PAR1 nothing else", ": not readable as Parquet"), ("", ": not readable as Parquet")],
    "a.xlsx": [("x", ": files end with one of .csv, .tsv")],
    "a.csv.gz": [("not packed", ": cannot be read")],
}


@pytest.mark.parametrize(("name", "text", "said"), [(n, *case) for n, cases in BAD.items() for case in cases])
def test_what_is_no_table_is_refused_in_one_line_with_its_place(
    tmp_path: Path, name: str, text: str | bytes, said: str
) -> None:
    path = write(tmp_path / name, text)
    with pytest.raises(BadData, match=f"^{path}{said}") as caught:
        tables.read([path], ["tag"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadData, match=f"^{tmp_path / name}: there is no such file$"):
        tables.require_columns(tmp_path / name, ["tag"])


def test_half_a_parquet_file_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"tag": ["x" * 50] * 10_000}), tmp_path / "a.parquet")
    raw = (tmp_path / "a.parquet").read_bytes()
    for kept in (raw[: len(raw) // 2], raw[:40] + b"\0" * 400 + raw[440:]):
        with pytest.raises(BadData, match="not readable as Parquet"):
            tables.read([write(tmp_path / "b.parquet", kept)], ["tag"])


def test_files_of_one_table_agree_on_the_names_of_classes(tmp_path: Path) -> None:
    import datasets

    for name, classes in (("a", ["no", "yes"]), ("b", ["yes", "no"])):
        features = datasets.Features({"tag": datasets.ClassLabel(names=classes)})
        datasets.Dataset.from_dict({"tag": [1]}, features).to_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(BadData, match=r"b.parquet: column tag names other classes than a\.parquet"):
        tables.read([tmp_path / "a.parquet", tmp_path / "b.parquet"], ["tag"])


def test_one_endless_line_is_refused_and_never_held(tmp_path: Path) -> None:
    """The same of 2 GB: the files here are six times as long as a line may be."""
    names = ("a.csv", "a.jsonl", "a.csv.gz", "quoted.csv")
    for name in names:
        head = b'{"body": 1}\n' if name == "a.jsonl" else b"body,tag\nx,y\n"
        row = b'"' * (name == "quoted.csv") + b"x" * 1000 + b"\n" * (name == "quoted.csv")
        with (gzip.open if name.endswith("gz") else open)(tmp_path / name, "wb") as file:
            file.write(head + row)
            for _ in range(6 * stream.LONGEST // 2**20):
                file.write(row.replace(b'"', b"x") * 1050)
    code = (
        "import resource; from pathlib import Path; import pyarrow.csv; from harness.data import tables\n"
        "from harness.errors import BadData\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"for name in {names}:\n"
        f"    try: tables.read([Path({str(tmp_path)!r}) / name], ['body'])\n"
        "    except BadData as error: print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    *said, grown = done.stdout.splitlines()
    assert len(said) == len(names)
    for name, line in zip(names, said, strict=True):
        assert name in line and ("longer than 1 MiB" if name == "quoted.csv" else "longer than 16 MiB") in line
    assert int(grown) < 80 * 1024, "KiB"
