"""Czech dialogues of the game Fish Fillets - Next Generation -> data/fillets_cs/utterances.pt.

Their home is Debian: packages fillets-ng-data (what is said) and fillets-ng-data-cs (recordings).
"""

from tasks.speech.dialogues import dialogue_script

SCRIPT = dialogue_script(
    language="cs",
    about="Fish Fillets in Czech: 1,681 utterances, 95 minutes, two main speakers; GPL 2; 110 MB to fetch.",
    sounds="fillets-ng-data-cs_1.0.1-1.1_all.deb",
    sha256="3ecef99b9456f1c80c9625c6f2418642b52d58e7167a46bad7a412db17991b14",
)

if __name__ == "__main__":
    raise SystemExit(SCRIPT.main())
