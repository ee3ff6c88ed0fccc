"""The README's convention for its code blocks: files, commands, and mistakes."""

from pathlib import PurePosixPath

import pytest

from tests.packaging.readme import ReadmeError, Run, Write, read_walk

SAMPLE = """\
# A project

```console
$ make demo
```

<!-- walk-through -->
```console
$ pip install django-livequery \\
>     daphne
Successfully installed …
$ django-admin startproject mysite .
```

1. Settings:

   ```python
   # mysite/settings.py, append
   INSTALLED_APPS += [
       "realtime",
   ]
   ```

~~~html
<!-- notes/templates/notes/list.html -->
<p>```</p>
~~~

```console
$ python manage.py runserver
```

Log in at http://127.0.0.1:8000/admin/ and open <http://127.0.0.1:8000/notes/>.
<!-- end of walk-through -->

```python
this_is_not_run()
```
"""


def test_walk_is_files_and_commands_in_their_order() -> None:
    """Only blocks between the marks; commands are joined, and indentation is removed."""
    walk = read_walk(SAMPLE)

    assert walk.steps == (
        Run("pip install django-livequery daphne", 9),
        Run("django-admin startproject mysite .", 12),
        Write(
            PurePosixPath("mysite/settings.py"),
            '# mysite/settings.py, append\nINSTALLED_APPS += [\n    "realtime",\n]\n',
            append=True,
            line=18,
        ),
        Write(
            PurePosixPath("notes/templates/notes/list.html"),
            "<!-- notes/templates/notes/list.html -->\n<p>```</p>\n",
            append=False,
            line=25,
        ),
        Run("python manage.py runserver", 30),
    )


def test_page_is_the_first_address_beside_the_admin() -> None:
    """It is the page that the README tells its reader to open."""
    assert read_walk(SAMPLE).page == "/notes/"


@pytest.mark.parametrize(
    ("wrong", "right", "message"),
    [
        ("", "<!-- walk-through -->", "expected the line '<!-- walk-through -->' once, got it 0"),
        ("x = 1", "# mysite/settings.py, append", "README.md:18: expected a comment that names"),
        ("# /etc/passwd.txt", "# mysite/settings.py, append", "README.md:18: expected a comment"),
        ("# some prose", "# mysite/settings.py, append", "README.md:18: expected a comment"),
        ("", "~~~\n\n```console", "README.md:24: expected an end of this code block"),
        ("manage.py", "$ python manage.py", "README.md:30: expected a line that begins with"),
        ("", "<http://127.0.0.1:8000/notes/>", "expected a page's address"),
    ],
)
def test_a_mistake_is_an_error_with_its_line(wrong: str, right: str, message: str) -> None:
    """The error names the line and the mistake."""
    assert right in SAMPLE

    with pytest.raises(ReadmeError, match=message):
        read_walk(SAMPLE.replace(right, wrong))
