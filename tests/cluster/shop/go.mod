module vethscope/tests/cluster/shop

go 1.24.0
