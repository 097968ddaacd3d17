"""`make demo`: a month of sales becomes pay, and every cent is accounted for."""
