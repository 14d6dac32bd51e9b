"""The command line: ``python -m llm_math_tests.derive``."""

import sys
from pathlib import Path

from llm_math_tests.derive.files import check, write
from llm_math_tests.derive.missing import installed_cupy
from llm_math_tests.derive.references import COMMAND, DeriveError


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and give its exit status."""
    import argparse

    parser = argparse.ArgumentParser(
        prog=COMMAND, description="Make CuPy references and students' stubs from the references."
    )
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 on a difference")
    parser.add_argument("--root", type=Path, default=Path(), help="holds reference/ and student/")
    parser.add_argument("--no-stubs", action="store_true", help="write the CuPy references only")
    parser.add_argument("--only-missing", action="store_true", help="leave files that exist")
    parser.add_argument("--force", action="store_true", help="replace written students' files too")
    options = parser.parse_args(arguments)
    known = installed_cupy()
    if options.check:
        lines = check(options.root, known=known)
        print("\n".join(lines) if lines else "every derived file is as its reference makes it")
        return 1 if lines else 0
    try:
        lines = write(
            options.root,
            stubs=not options.no_stubs,
            only_missing=options.only_missing,
            force=options.force,
            known=known,
        )
    except DeriveError as error:
        print(error)
        return 1
    print("\n".join(lines) if lines else "nothing to write")
    return 0


if __name__ == "__main__":
    sys.exit(main())
