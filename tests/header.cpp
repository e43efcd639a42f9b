// Empty: carries the precompiled Catch2 header.
