"""Controls made from the policies, and the matrix that follows them."""
