"""Downloads that break off, go on, lie or are refused, from a server on this machine."""

import gzip
import hashlib
import http.server
import threading

import pytest

from zoo.data import fetch
from zoo.errors import InputError

CONTENT = bytes(range(256)) * 20_000  # 5 MB: several blocks
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; hangs up after `breaks` bytes where that is set."""

    breaks: int | None = None
    ranges = True
    asked: list[str | None]

    def do_GET(self):
        self.asked.append(self.headers.get("Range"))
        if self.path != "/set.bin":
            return self.send_error(404)
        start = int(self.headers["Range"][6:-1]) if self.ranges and "Range" in self.headers else 0
        if start >= len(CONTENT):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : None if self.breaks is None else start + self.breaks])
        return None

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    handler = type("Handler", (Server,), {"asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        handler.url = f"http://127.0.0.1:{running.server_port}/set.bin"
        yield handler
        running.shutdown()
        thread.join()


def refused(match, *args, **kwargs):
    with pytest.raises(InputError, match=match) as error:
        fetch(*args, **kwargs)
    assert "\n" not in str(error.value)


def test_a_download_that_breaks_off_goes_on_where_it_stopped(server, tmp_path):
    server.breaks = 2_000_000
    target = tmp_path / "deep" / "set.bin"
    for done in (2_000_000, 4_000_000):
        refused(f"got {done}; start again to go on", server.url, target, MD5)
        assert not target.exists() and (tmp_path / "deep" / "set.bin.partial").stat().st_size == done
    assert fetch(server.url, target, MD5).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=2000000-", "bytes=4000000-"]
    assert [path.name for path in target.parent.iterdir()] == ["set.bin"]
    fetch(server.url, target, MD5)
    assert len(server.asked) == 3  # what lies there whole is not asked for again


def test_a_server_without_ranges_sends_all_again(server, tmp_path):
    server.ranges = False
    (tmp_path / "set.bin.partial").write_bytes(b"x" * 100)
    assert fetch(server.url, tmp_path / "set.bin", MD5).read_bytes() == CONTENT


def test_a_partial_file_that_is_whole_needs_nothing_more(server, tmp_path):
    (tmp_path / "set.bin.partial").write_bytes(CONTENT)
    assert fetch(server.url, tmp_path / "set.bin", MD5).read_bytes() == CONTENT


def test_another_file_than_the_published_one_is_not_kept(server, tmp_path):
    refused("expected md5:0123, got md5:", server.url, tmp_path / "set.bin", "md5:0123")
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_replaced(server, tmp_path):
    (tmp_path / "set.bin").write_bytes(CONTENT[:-1])
    assert fetch(server.url, tmp_path / "set.bin", MD5).read_bytes() == CONTENT


def test_the_next_place_is_asked_when_one_has_it_not(server, tmp_path):
    assert fetch([server.url + ".old", server.url], tmp_path / "set.bin", MD5).is_file()
    refused("HTTP 404; use --from", server.url + ".old", tmp_path / "other.bin", MD5)
    refused("expected an answer", "http://127.0.0.1:9/set.bin", tmp_path / "other.bin", MD5)


def test_local_copies(tmp_path):
    url, source = "http://127.0.0.1:9/set.bin", tmp_path / "source"
    source.mkdir()
    refused("--from: expected set.bin in", url, tmp_path / "set.bin", MD5, source)
    (source / "set.bin").write_bytes(CONTENT)
    assert fetch(url, tmp_path / "set.bin", MD5, source).read_bytes() == CONTENT
    assert (source / "set.bin").is_file()


def test_a_copy_compressed_anew_is_known_by_what_it_holds(tmp_path):
    (tmp_path / "set.gz").write_bytes(gzip.compress(CONTENT, 1))
    target = tmp_path / "new" / "set.gz"
    refused("expected md5:0", "http://127.0.0.1:9/set.gz", target, "md5:0", tmp_path)
    assert fetch("http://127.0.0.1:9/set.gz", target, "md5:0", tmp_path, content=MD5).is_file()
    (tmp_path / "set.gz").write_bytes(gzip.compress(CONTENT, 1)[:-100])
    refused("expected md5:0", "http://127.0.0.1:9/set.gz", tmp_path / "x.gz", "md5:0", tmp_path, content=MD5)


def test_a_full_disk_or_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "set.bin").write_bytes(CONTENT)
    (tmp_path / "file").touch()
    refused("free space or mend permissions", "http://x/set.bin", tmp_path / "file" / "set.bin", MD5, tmp_path)
