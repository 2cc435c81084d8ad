"""Owns what is told after something was done: a word travels in a cookie, its text is shown once.

Only words of this list mean anything, so that a planted cookie can say nothing of its own. A page
that needs another adds its line here.
"""

from typing import Final

from tollbridge.web.forms import N_

SAID: Final = {
    "alerts_saved": N_("The alerts are saved."),
    "email_changed": N_("Your account uses the new address. You are signed out everywhere else."),
    "joined": N_(
        "Your account is made. Set a password to sign in: we have sent you a link for it."
    ),
    "key_deleted": N_("The key is deleted."),
    "key_disabled": N_("The key is disabled."),
    "key_enabled": N_("The key is enabled."),
    "linked": N_("The other site is linked with your account."),
    "saved": N_("Saved."),
    "announced": N_("The announcement is saved."),
    "announcement_ended": N_("The announcement has ended."),
    "books_checked": N_("The books were checked just now."),
    "call_reversed": N_("The charge of the call is given back."),
    "call_reversed_before": N_("The charge of the call had been given back before."),
    "invite_revoked": N_("The invite is revoked."),
    "codes_revoked": N_("The unused codes of this batch are revoked."),
    "credit_adjusted": N_("The credit is adjusted."),
    "reset_mailed": N_("A link to set a new password is on its way to the user."),
    "sessions_ended": N_("All sessions of the user are ended."),
    "suspended": N_("The user is suspended and has been told why."),
    "unsuspended": N_("The user may come in again."),
    "signed_out": N_("You are signed out."),
    "sign_in_again": N_("That took too long. Please sign in again."),
    "too_many_codes": N_("Too many wrong codes. Please sign in again."),
    "own_password_changed": N_("The password is changed. You are signed out everywhere else."),
    "own_session_ended": N_("That browser is signed out."),
    "others_ended": N_("You are signed out everywhere else."),
    "redeemed": N_("The code is redeemed. Its credit is in your wallet."),
    "second_factor_off": N_("The second factor is off."),
    "token_revoked": N_("The token is revoked."),
    "password_changed": N_("The password is changed. Sign in with the new one."),
    "unlinked": N_("The other site opens your account no longer."),
    "welcome": N_("Your address is confirmed. Welcome."),
}


def words_of(word: str) -> str | None:
    """Return the msgid of a word; None when it is none of ours."""
    return SAID.get(word)
