"""Fashion-MNIST (Xiao, Rasul and Vollgraf 2017) -> data/fashion_mnist/images.pt."""

from torchvision.datasets import FashionMNIST

from tasks.vision.archives import idx_images, published_idx
from zoo.data.script import DataScript

# Contents of the files, for copies compressed anew such as those of Debian's package dataset-fashion-mnist: with the
# published gzip headers (name, 31 August 2017) put back, that package's files have the published MD5s.
CONTENTS = {
    "train-images-idx3-ubyte.gz": "sha256:c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "sha256:bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "sha256:5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "sha256:0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}

SCRIPT = DataScript(
    name="fashion_mnist",
    about="Fashion-MNIST: 60,000 + 10,000 pictures of clothes, 28x28 grey, 10 classes; MIT; 31 MB to fetch.",
    files=published_idx(FashionMNIST, CONTENTS),
    convert=lambda folder: idx_images(folder, list(FashionMNIST.classes)),
)

if __name__ == "__main__":
    raise SystemExit(SCRIPT.main())
