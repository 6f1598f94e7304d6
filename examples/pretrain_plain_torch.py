"""Masked pre-training of an infrared encoder in plain PyTorch, in one file.

    python examples/pretrain_plain_torch.py path/to/images --epochs 20

Writes encoder.safetensors, which ``dugi_mae.create_encoder(arch, pretrained=path)``
loads, and reconstruction.png: images, what the encoder saw, and the reconstruction.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

import dugi_mae
from dugi_mae.checkpoints.io import write_checkpoint
from dugi_mae.files import IMAGE_EXTENSIONS, find_images


class Crops(Dataset):
    """Random crops of every image below a folder, ``(1, size, size)`` grey values."""

    def __init__(self, folder: Path, size: int) -> None:
        self.paths = [folder / p for p in find_images(folder, IMAGE_EXTENSIONS)]
        self.size = size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        image = dugi_mae.load_infrared(self.paths[index], channels=1)
        image = torch.from_numpy(image).permute(2, 0, 1).float()
        height, width = image.shape[-2:]
        side = int(min(height, width) * torch.empty(()).uniform_(0.5, 1))
        top, left = (int(torch.randint(n - side + 1, ())) for n in (height, width))
        crop = image[:, top : top + side, left : left + side]
        if torch.rand(()) < 0.5:
            crop = crop.flip(-1)
        size = (self.size, self.size)
        return F.interpolate(crop[None], size, mode='bilinear', antialias=True)[0]


def make_optimizer(model: nn.Module, lr: float) -> torch.optim.Optimizer:
    """AdamW; norms, biases, tokens and the frequency filter do not decay."""
    trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    plain = [p for n, p in trained if p.ndim < 2 or 'token' in n]
    decayed = [p for n, p in trained if not (p.ndim < 2 or 'token' in n)]
    groups = [dict(params=decayed), dict(params=plain, weight_decay=0.0)]
    return torch.optim.AdamW(groups, lr, betas=(0.9, 0.95), weight_decay=0.05)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('images', type=Path, help='folder of images, of any depth')
    parser.add_argument('--arch', default='tiny', help='tiny, small, base or large')
    parser.add_argument('--epochs', type=int, default=20)
    parser.add_argument('--size', type=int, default=128, help='side of the crops')
    parser.add_argument('--batch-size', type=int, default=32)
    parser.add_argument('--lr', type=float, default=1e-3)
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/plain_torch'))
    return parser.parse_args()


def main() -> None:
    """Train, then write weights and a picture."""
    args = parse_args()
    torch.manual_seed(0)
    torch.set_flush_denormal(True)  # fresh weights make many: they are slow on a CPU
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    data = Crops(args.images, args.size)
    loader = DataLoader(data, args.batch_size, shuffle=True, num_workers=args.workers)
    model = dugi_mae.create_pretrainer(args.arch, in_channels=1, img_size=args.size)
    model.to(device).train()
    optimizer = make_optimizer(model, args.lr)
    total = args.epochs * len(loader)
    warmup = max(total // 20, 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda i: min((i + 1) / warmup, 0.5 + 0.5 * math.cos(math.pi * i / total)),
    )
    for epoch in range(1, args.epochs + 1):
        losses = []
        for grey in loader:
            loss = model((grey.to(device) - model.mean) / model.std)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 3.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.detach())
        print(f'epoch {epoch}: loss {torch.stack(losses).mean():.4f}', flush=True)

    path = args.out / 'encoder.safetensors'
    write_checkpoint(dict(state_dict=model.state_dict()), path)
    images = torch.stack([data[i] for i in range(min(4, len(data)))]).to(device)
    result = model.eval().reconstruct((images - model.mean) / model.std)
    shown = [result.images, result.images * result.visible, result.composite]
    rows = torch.cat([torch.cat(list(x), 1) for x in shown], 2)[0] * model.std
    picture = (rows + model.mean).clamp(0, 255).byte().cpu().numpy()
    cv2.imwrite(str(args.out / 'reconstruction.png'), np.ascontiguousarray(picture))
    print(f'{path} and reconstruction.png written')


if __name__ == '__main__':
    main()
