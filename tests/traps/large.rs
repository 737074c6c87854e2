//! 200,000 rows in one transaction, on a server that takes packets of 16 MB.
