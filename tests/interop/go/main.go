// Checks a published audit log with an implementation that is not ours: the transparency log and
// signed note packages of the Go project (golang.org/x/mod/sumdb).
//
//	interop DIR VERIFIER-KEY [PROOF...]
//
// reads checkpoint, tiles and entry bundles in DIR (C2SP tlog-tiles), opens the checkpoint with the
// key, authenticates the tiles by its root, hashes every entry, and proves the last and some other
// entries and the consistency with every smaller tree of a few sizes. Each PROOF is a file of
// `cardvault-audit prove` (C2SP tlog-proof). Prints one line and exits 0; else says what is wrong and
// exits 1.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// Tiles as their folder holds them; a partial one may have given way to the full one.
type tiles struct{ dir string }

func (t tiles) Height() int                         { return height }
func (t tiles) SaveTiles(_ []tlog.Tile, _ [][]byte) {}

func indexPath(n int64) string {
	path := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		path = fmt.Sprintf("x%03d/%s", n%1000, path)
	}
	return path
}

func (t tiles) file(kind string, n int64, width, entryBytes int) ([]byte, error) {
	path := filepath.Join(t.dir, "tile", kind, indexPath(n))
	if width == 1<<height {
		return os.ReadFile(path)
	}
	data, err := os.ReadFile(fmt.Sprintf("%s.p/%d", path, width))
	if !errors.Is(err, os.ErrNotExist) {
		return data, err
	}
	data, err = os.ReadFile(path)
	if err == nil && entryBytes > 0 && len(data) >= width*entryBytes {
		data = data[:width*entryBytes]
	}
	return data, err
}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		data, err := t.file(strconv.Itoa(tile.L), tile.N, tile.W, tlog.HashSize)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// The first `width` entries of a bundle.
func (t tiles) entries(n int64, width int) ([][]byte, error) {
	data, err := t.file("entries", n, width, 0)
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for len(all) < width {
		if len(data) < 2 {
			return nil, fmt.Errorf("bundle %d has %d entries instead of %d", n, len(all), width)
		}
		length := int(binary.BigEndian.Uint16(data))
		if len(data) < 2+length {
			return nil, fmt.Errorf("bundle %d: entry %d is cut off", n, len(all))
		}
		all = append(all, data[2:2+length])
		data = data[2+length:]
	}
	return all, nil
}

func open(signed []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %w", err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("checkpoint: not of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %w", err)
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

func checkEntries(dir tiles, tree tlog.Tree, hashes tlog.HashReader) error {
	for first := int64(0); first < tree.N; first += 1 << height {
		width := int64(1 << height)
		if tree.N-first < width {
			width = tree.N - first
		}
		entries, err := dir.entries(first>>height, int(width))
		if err != nil {
			return err
		}
		var indexes []int64
		for i := range entries {
			indexes = append(indexes, tlog.StoredHashIndex(0, first+int64(i)))
		}
		stored, err := hashes.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for i, entry := range entries {
			if tlog.RecordHash(entry) != stored[i] {
				return fmt.Errorf("record %d is not the one in the tree", first+int64(i))
			}
		}
	}
	return nil
}

func checkProofs(dir tiles, tree tlog.Tree, hashes tlog.HashReader) error {
	for _, n := range []int64{0, 1, tree.N / 3, tree.N / 2, tree.N - 1} {
		if n < 0 || n >= tree.N {
			continue
		}
		width := tree.N - n>>height<<height
		if width > 1<<height {
			width = 1 << height
		}
		entries, err := dir.entries(n>>height, int(width))
		if err != nil {
			return err
		}
		proof, err := tlog.ProveRecord(tree.N, n, hashes)
		if err != nil {
			return err
		}
		leaf := tlog.RecordHash(entries[n&(1<<height-1)])
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, n, leaf); err != nil {
			return fmt.Errorf("record %d: %w", n, err)
		}
	}
	for _, n := range []int64{1, 2, tree.N / 2, tree.N - 1} {
		if n < 1 || n >= tree.N {
			continue
		}
		old, err := tlog.TreeHash(n, hashes)
		if err != nil {
			return err
		}
		proof, err := tlog.ProveTree(tree.N, n, hashes)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, n, old); err != nil {
			return fmt.Errorf("tree of %d: %w", n, err)
		}
	}
	return nil
}

// A file of C2SP tlog-proof: extra, index, hashes, an empty line, the checkpoint.
func checkProofFile(path string, verifier note.Verifier) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, signed, found := bytes.Cut(data, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return fmt.Errorf("%s: no proof", path)
	}
	tree, err := open(signed, verifier)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	entry, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		proof = append(proof, hash)
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func run(dir, key string, proofs []string) error {
	verifier, err := note.NewVerifier(strings.TrimSpace(key))
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	signed, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return err
	}
	tree, err := open(signed, verifier)
	if err != nil {
		return err
	}
	files := tiles{dir}
	hashes := tlog.TileHashReader(tree, files)
	if err := checkEntries(files, tree, hashes); err != nil {
		return err
	}
	if err := checkProofs(files, tree, hashes); err != nil {
		return err
	}
	for _, proof := range proofs {
		if err := checkProofFile(proof, verifier); err != nil {
			return err
		}
	}
	fmt.Printf("verified: %s, %d records, root %s, %d proofs\n", verifier.Name(), tree.N, tree.Hash,
		len(proofs))
	return nil
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: interop DIR VERIFIER-KEY [PROOF...]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Println("NOT VERIFIED:", err)
		os.Exit(1)
	}
}
