"""Words, signed."""

from itsdangerous import Signer


def signed(text):
    return Signer("key").sign(text).decode()
