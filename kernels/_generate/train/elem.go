package main

func elementwise(s isa) {}
