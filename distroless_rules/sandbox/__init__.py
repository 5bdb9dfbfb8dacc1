"""Commands run where they see declared files and nothing else; needs no root and no daemon."""
