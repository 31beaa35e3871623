"""Which tests a change touches, and what past runs say of them."""
