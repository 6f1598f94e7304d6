"""Packaging of dugi_mae, with the ``.mim`` folder that OpenMMLab's tools look for."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MIM_CONTENT = ('configs', 'tools', 'weights', 'model-index.yml')
NOT_SHIPPED = ROOT / 'tools' / 'dev'


def read_version() -> str:
    """The version as text: importing the package here would need torch."""
    text = (ROOT / 'dugi_mae' / 'version.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '(.+)'$", text, re.MULTILINE).group(1)


def read_requirements(name: str) -> list[str]:
    """The lines of a requirements file and of those it includes, without comments."""
    text = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8')
    lines = [line.split('#')[0].strip() for line in text.splitlines()]
    included = (line[3:].removesuffix('.txt') for line in lines if line[:3] == '-r ')
    own = [line for line in lines if line and line[:3] != '-r ']
    return sum(map(read_requirements, included), own)


class BuildPyWithMim(build_py):
    """Ships configs, tools and the model index as ``dugi_mae/.mim``.

    ``build_py`` runs for wheels and for PEP 660 editable installs alike, so nothing
    depends on what ``sys.argv`` looks like. A wheel gets copies. An editable install
    gets links in the source tree, so that it always shows the checkout's own files.
    """

    def run(self) -> None:
        """Build, then link when the install is editable."""
        super().run()
        if getattr(self, 'editable_mode', False):
            link_mim(ROOT / 'dugi_mae' / '.mim')

    def _get_data_files(self) -> list[tuple[str, str, str, list[str]]]:
        # This list is what build_py copies and also what it reports as its output, so
        # a build that asks for the outputs (strict editable mode) sees these too.
        target = Path(self.build_lib) / 'dugi_mae' / '.mim'
        return super()._get_data_files() + [
            ('dugi_mae', str(folder), str(target / folder), sorted(names))
            for folder, names in mim_files().items()
        ]


def mim_files() -> dict[Path, list[str]]:
    """Names of the files to ship, by folder relative to the project root."""
    found: dict[Path, list[str]] = {}
    for name in MIM_CONTENT:
        top = ROOT / name
        for path in [top] if top.is_file() else top.rglob('*'):
            skipped = '__pycache__' in path.parts or NOT_SHIPPED in path.parents
            if path.is_file() and not skipped:
                found.setdefault(path.parent.relative_to(ROOT), []).append(path.name)
    return found


def link_mim(target: Path) -> None:
    """Fill ``target`` with relative links, or with copies where links are refused."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for name in MIM_CONTENT:
        source = ROOT / name
        if not source.exists():
            continue
        try:
            (target / name).symlink_to(os.path.relpath(source, target))
        except OSError:
            (shutil.copytree if source.is_dir() else shutil.copy)(source, target / name)


def read_long_description() -> str:
    """The README, empty in a tree that has none."""
    readme = ROOT / 'README.md'
    return readme.read_text(encoding='utf-8') if readme.is_file() else ''


setup(
    name='dugi-mae',
    version=read_version(),
    description='Infrared masked pre-training (DuGI-MAE), for PyTorch and OpenMMLab',
    long_description=read_long_description(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    license_files=['LICENSE'],
    keywords='infrared, masked image modelling, pre-training, detection, segmentation',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    python_requires='>=3.10',
    packages=find_packages(include=['dugi_mae', 'dugi_mae.*']),
    package_data={'dugi_mae': ['py.typed']},
    include_package_data=False,
    install_requires=read_requirements('runtime'),
    # Two distributions own each mm* import name: which one is the user's to say.
    extras_require={
        name: read_requirements(name)
        for name in ('images', 'tools', 'onedl', 'openmmlab', 'docs', 'dev')
    },
    cmdclass={'build_py': BuildPyWithMim},
    zip_safe=False,
)
