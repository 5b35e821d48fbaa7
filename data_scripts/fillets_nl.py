"""Dutch dialogues of the game Fish Fillets - Next Generation -> data/fillets_nl/utterances.pt.

Their home is Debian: packages fillets-ng-data (what is said) and fillets-ng-data-nl (recordings).
"""

from tasks.speech.dialogues import dialogue_script

SCRIPT = dialogue_script(
    language="nl",
    about="Fish Fillets in Dutch: 1,515 utterances, 90 minutes, two speakers; GPL 2; 103 MB to fetch.",
    sounds="fillets-ng-data-nl_1.0.1-1.1_all.deb",
    sha256="afb4443fda9ab507dee578b75be857d121718a1cd6017a474f30e0eb13dc9d10",
)

if __name__ == "__main__":
    raise SystemExit(SCRIPT.main())
