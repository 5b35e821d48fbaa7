"""Task packages, one a domain; each stands on `zoo` and on no other task."""
