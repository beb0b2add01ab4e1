// The Prometheus operator's definitions of its kinds, for the tests only; ../build.py takes them out
// of the module. Nothing of it is built.
module vethscope/tests/kube/operator

go 1.24.0

require github.com/prometheus-operator/prometheus-operator v0.85.0
