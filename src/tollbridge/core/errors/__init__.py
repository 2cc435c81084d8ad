"""The errors a customer can meet: one catalogue, four dialects, rendered natively a surface."""

from tollbridge.core.errors.advice import Advice, advice
from tollbridge.core.errors.cleaning import clean_upstream_message
from tollbridge.core.errors.kinds import CATALOGUE, CODE_TEXTS, Kind, Profile, Row, Surface
from tollbridge.core.errors.paths import is_api_path, right_path, surface_of
from tollbridge.core.errors.profiles import OVERRIDES, Effective, Override, effective
from tollbridge.core.errors.raised import ApiError, not_found
from tollbridge.core.errors.rendering import Rendered, message_of, render, render_in_band

__all__ = [
    "CATALOGUE",
    "CODE_TEXTS",
    "OVERRIDES",
    "Advice",
    "ApiError",
    "Effective",
    "Kind",
    "Override",
    "Profile",
    "Rendered",
    "Row",
    "Surface",
    "advice",
    "clean_upstream_message",
    "effective",
    "is_api_path",
    "message_of",
    "not_found",
    "render",
    "render_in_band",
    "right_path",
    "surface_of",
]
