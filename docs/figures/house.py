"""Draw docs/images/house.svg: the rooms of the package and which way data flows."""

from __future__ import annotations

from pathlib import Path

WIDTH, MARGIN, GAP, HEIGHT, TITLE = 860, 24, 12, 62, 34
CORE, HOSTS, TEXT, LINE = '#fbe3d0', '#d9e6f2', '#222222', '#555555'
#: Storeys from the ground up: rooms, each with what it holds.
STOREYS = (
    (CORE, ('errors, files', 'messages, atomic writing')),
    (CORE, ('ops', 'pure tensor functions'), ('images', 'files to arrays')),
    (CORE, ('models', 'masking, encoders, guidance, decoder, small targets')),
    (CORE, ('checkpoints', 'read, write, convert, fit')),
    (
        CORE,
        ('zoo', 'create_encoder'),
        ('evaluation', 'metrics on arrays'),
        ('visualization', 'pictures'),
        ('annotations, converters', 'COCO, label maps'),
    ),
    (HOSTS, ('mm', 'wrappers, data sets, transforms, hooks, file backend')),
    (
        HOSTS,
        ('mmpretrain', 'entry module'),
        ('mmseg', 'entry module'),
        ('mmdet', 'entry module'),
        ('apis', 'inferencers'),
    ),
    (HOSTS, ('configs', ''), ('cli, tools', 'train, test, infer, convert')),
)


def text(x: float, y: float, content: str, size: int, weight: str = 'normal') -> str:
    """A centred line."""
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" font-weight="{weight}" '
        f'fill="{TEXT}" text-anchor="middle">{content}</text>'
    )


def storey(colour: str, rooms: tuple[tuple[str, str], ...], top: float) -> list[str]:
    """Rooms side by side, as wide as what they hold is long."""
    lengths = [max(len(name), len(holds), 14) for name, holds in rooms]
    free = WIDTH - 2 * MARGIN - 60 - GAP * (len(rooms) - 1)
    parts, x = [], MARGIN
    for (name, holds), length in zip(rooms, lengths, strict=True):
        width = free * length / sum(lengths)
        parts.append(
            f'<rect x="{x:.0f}" y="{top}" width="{width:.0f}" height="{HEIGHT}" rx="6" '
            f'fill="{colour}" stroke="{LINE}"/>'
        )
        parts.append(text(x + width / 2, top + (28 if holds else 37), name, 16, 'bold'))
        if holds:
            parts.append(text(x + width / 2, top + 48, holds, 12))
        x += width + GAP
    return parts


def main() -> None:
    """Draw and save."""
    parts, top, before = [], MARGIN, ''
    for colour, *rooms in reversed(STOREYS):
        if colour != before:
            name = 'for OpenMMLab' if colour == HOSTS else 'core: no mm package'
            parts.append(text((WIDTH - 60) / 2, top + 16, name, 14))
            top += TITLE - 8
            before = colour
        parts += storey(colour, tuple(rooms), top)
        top += HEIGHT + GAP
    x, low, high = WIDTH - 44, top - GAP, MARGIN + TITLE
    parts.append(
        f'<path d="M{x} {low}V{high}m-8 12l8 -12l8 12" fill="none" stroke="{LINE}" '
        'stroke-width="2"/>'
    )
    parts.append(
        f'<text transform="translate({x + 22} {(low + high) / 2:.0f}) rotate(-90)" '
        f'font-size="13" fill="{TEXT}" text-anchor="middle">'
        'a room imports only from below</text>'
    )
    height = top - GAP + MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" font-family="Helvetica, Arial, sans-serif">'
    )
    parts.insert(0, f'<rect width="{WIDTH}" height="{height}" fill="white"/>')
    target = Path(__file__).resolve().parents[1] / 'images' / 'house.svg'
    target.write_text('\n'.join([head, *parts, '</svg>']) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
