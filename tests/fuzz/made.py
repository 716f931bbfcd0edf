"""Random values as a DBC server states them, each with what it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from random import Random

from tests.fuzz.tree import Leaf

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
PASSWORD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
WORDS = (
    *(
        "Ubuntu",
        "20.04.6",
        "LTS",
        "(Focal Fossa)",
        "Intel(R)",
        "Xeon(R)",
        "Gold",
        "6248R",
        "@",
        "3.00GHz",
        "web",
    ),
    *(
        "Prüfstand",
        "机器",
        "машина",
        "50%",
        "a=b",
        "it's",
        "{}",
        "[1]",
        "<b>",
        "&amp;",
        "x,y",
        "#1",
        "~",
        "-n",
    ),
)


@dataclass(frozen=True, slots=True)
class Said:
    """A leaf and the number it means; no number where the server itself made nonsense of it."""

    leaf: Leaf
    value: float | None


class Maker:
    """Makes the parts of one answer, and collects the secrets in it."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.secrets: list[str] = []

    # -- names and texts

    def hex_id(self) -> str:
        return f"{self.random.getrandbits(256):064x}"

    def base58(self, length: int) -> str:
        return "".join(self.random.choices(BASE58, k=length))

    def distinct(self, most: int, make: str = "") -> list[str]:
        """Give up to `most` different names."""
        names = [f"{make}{self.base58(6)}{number}" for number in range(self.random.randint(0, most))]
        self.random.shuffle(names)
        return names

    def text(self) -> str:
        return " ".join(self.random.choices(WORDS, k=self.random.randint(1, 6)))

    def version(self) -> str:
        return f"0.{self.random.randint(3, 4)}.{self.random.randint(0, 9)}.{self.random.randint(0, 9)}"

    def leaf(self, value: str | int, kind: str) -> Leaf:
        return Leaf(value, kind)

    # -- numbers

    def size(self) -> Said:
        """Make a size: base 1024, whole or with two decimals, six digits at most."""
        unit = self.random.choice("KMGGGT")
        digits = f"{self.random.randint(1, 99_999) / self.random.choice((1, 100)):.6g}"
        return Said(Leaf(f"{digits}{unit}", "size"), float(Fraction(digits) * 1024 ** ("BKMGT".index(unit))))

    def ratio(self) -> Said:
        """Make a percentage; now and then the nonsense that the server's counters bring."""
        if self.random.random() < 0.03:
            return Said(Leaf(self.random.choice(("nan%", "-nan%", "-3.52%", "4294967%")), "ratio"), None)
        hundredths = self.random.choice((0, 10_000, self.random.randint(1, 9_999)))
        return Said(Leaf(f"{hundredths / 100:g}%", "ratio"), hundredths / 10_000)

    def hertz(self) -> Said:
        megahertz = self.random.randint(800, 6000)
        return Said(Leaf(f"{megahertz}MHz", "hertz"), megahertz * 1e6)

    def count(self, most: int = 200, *, text: bool = True) -> Said:
        number = self.random.randint(0, most)
        return Said(Leaf(str(number) if text else number, "count"), number)

    def time(self) -> Said:
        moment = self.random.randint(1_600_000_000, 1_900_000_000)
        return Said(Leaf(f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S}", "time"), moment)

    def pick(self, words: Sequence[str], kind: str) -> Leaf:
        return Leaf(self.random.choice(words), kind)

    # -- secrets

    def secret(self, value: str) -> Leaf:
        """Make a leaf whose value must never be seen."""
        self.secrets.append(value)
        return Leaf(value, "secret")

    def password(self) -> Leaf:
        return self.secret("".join(self.random.choices(PASSWORD, k=16)))

    def wallet(self) -> str:
        wallet = "5" + self.base58(47)
        self.secrets.append(wallet)
        return wallet

    def address(self) -> Leaf:
        return self.secret(f"198.51.{self.random.randint(100, 255)}.{self.random.randint(100, 254)}")

    def chance(self, share: float = 0.5) -> bool:
        return self.random.random() < share
