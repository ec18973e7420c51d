package lossless_test

import (
	"os"
	"strings"
	"testing"
)

// TestREADME checks that the program in the README is the one of
// example_readme_test.go, which is compiled and run.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("example_readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, snippet, ok := strings.Cut(string(readme), "```go\n")
	snippet, _, closed := strings.Cut(snippet, "```")
	if !ok || !closed {
		t.Fatal("no Go code in the README")
	}
	for _, part := range strings.Split(strings.TrimSpace(snippet), "\n\n") {
		var lines []string
		for _, line := range strings.Split(part, "\n") {
			lines = append(lines, strings.TrimSpace(line))
		}
		found := false
		for _, block := range strings.Split(string(example), "\n\n") {
			var have []string
			for _, line := range strings.Split(block, "\n") {
				have = append(have, strings.TrimSpace(line))
			}
			if strings.Contains(strings.Join(have, "\n"), strings.Join(lines, "\n")) {
				found = true
			}
		}
		if !found {
			t.Errorf("not in example_readme_test.go:\n%s", part)
		}
	}
}
