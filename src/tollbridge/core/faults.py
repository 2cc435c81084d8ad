"""Owns what several layers say of a value alike: msgids, English. Must not know whose value it is."""

from typing import Final

from tollbridge.core.language import N_

OUT_OF_RANGE: Final = N_("This number is out of range.")
NOT_OFFERED: Final = N_("Choose one of the options.")
NO_SUCH_NAME: Final = N_("There is none of this name.")
