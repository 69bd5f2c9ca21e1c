// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// epoch is the time of every entry and of the image itself. A real time would
// make two builds of the same files differ.
var epoch = time.Unix(0, 0).UTC()

// manifestEntry is one image in the archive's manifest.json.
type manifestEntry struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// imageConfig is the image configuration of the OCI image specification,
// reduced to what is set here.
type imageConfig struct {
	Architecture string           `json:"architecture"`
	OS           string           `json:"os"`
	Created      time.Time        `json:"created"`
	Config       containerConfig  `json:"config"`
	RootFS       rootFS           `json:"rootfs"`
	History      []map[string]any `json:"history"`
}

type containerConfig struct {
	User       string            `json:"User,omitempty"`
	Env        []string          `json:"Env,omitempty"`
	Entrypoint []string          `json:"Entrypoint,omitempty"`
	Cmd        []string          `json:"Cmd,omitempty"`
	WorkingDir string            `json:"WorkingDir,omitempty"`
	Labels     map[string]string `json:"Labels,omitempty"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

// Write writes the images to w as one docker-archive. It reads each source
// file twice, once for the layer's digest and once for its bytes, so that no
// layer is ever held in memory or in a temporary file; a source that changes
// in between is an error.
func Write(w io.Writer, images ...Image) error {
	tw := tar.NewWriter(w)
	manifest := make([]manifestEntry, 0, len(images))
	written := make(map[string]bool)
	for _, img := range images {
		entry, err := writeImage(tw, img, written)
		if err != nil {
			return fmt.Errorf("write image %q: %w", img.Reference, err)
		}
		manifest = append(manifest, entry)
	}
	b, err := json.Marshal(manifest)
	if err != nil {
		return fmt.Errorf("encode the manifest: %w", err)
	}
	if err := writeData(tw, "manifest.json", b); err != nil {
		return err
	}
	if err := tw.Close(); err != nil {
		return fmt.Errorf("close the archive: %w", err)
	}
	return nil
}

// writeImage writes the layer and the configuration of one image and returns
// its entry of the manifest. Written holds the names already in the archive:
// images of equal content share an entry, which must be there once.
func writeImage(tw *tar.Writer, img Image, written map[string]bool) (manifestEntry, error) {
	if err := img.Validate(); err != nil {
		return manifestEntry{}, err
	}
	digest, size, err := img.layerDigest()
	if err != nil {
		return manifestEntry{}, err
	}
	layer := digest + "/layer.tar"
	if !written[layer] {
		written[layer] = true
		if err := tw.WriteHeader(plainHeader(layer, size)); err != nil {
			return manifestEntry{}, fmt.Errorf("write the header of %s: %w", layer, err)
		}
		again := sha256.New()
		if err := img.writeLayer(io.MultiWriter(tw, again)); err != nil {
			return manifestEntry{}, err
		}
		if got := hex.EncodeToString(again.Sum(nil)); got != digest {
			return manifestEntry{}, fmt.Errorf("a source file changed while layer %s was written", digest)
		}
	}
	b, err := img.config(digest)
	if err != nil {
		return manifestEntry{}, err
	}
	sum := sha256.Sum256(b)
	config := hex.EncodeToString(sum[:]) + ".json"
	if !written[config] {
		written[config] = true
		if err := writeData(tw, config, b); err != nil {
			return manifestEntry{}, err
		}
	}
	return manifestEntry{Config: config, RepoTags: []string{img.Reference}, Layers: []string{layer}}, nil
}

// config returns the image's configuration in JSON, for the layer with the
// given digest.
func (img Image) config(layerDigest string) ([]byte, error) {
	b, err := json.Marshal(imageConfig{
		Architecture: img.Architecture,
		OS:           "linux",
		Created:      epoch,
		Config: containerConfig{
			User:       img.User,
			Env:        []string{"PATH=/"},
			Entrypoint: img.Entrypoint,
			Cmd:        img.Args,
			WorkingDir: "/",
			Labels:     img.Labels,
		},
		RootFS:  rootFS{Type: "layers", DiffIDs: []string{"sha256:" + layerDigest}},
		History: []map[string]any{{"created": epoch, "created_by": "hack/image"}},
	})
	if err != nil {
		return nil, fmt.Errorf("encode the configuration: %w", err)
	}
	return b, nil
}

// layerDigest returns the hexadecimal SHA-256 of the layer and its bytes.
func (img Image) layerDigest() (digest string, size int64, err error) {
	h := sha256.New()
	n := &countingWriter{w: h}
	if err := img.writeLayer(n); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(h.Sum(nil)), n.n, nil
}

// writeLayer writes the image's files as an uncompressed tar.
func (img Image) writeLayer(w io.Writer) error {
	tw := tar.NewWriter(w)
	for _, f := range img.layerFiles() {
		if err := f.write(tw); err != nil {
			return fmt.Errorf("add %s: %w", f.Path, err)
		}
	}
	if err := tw.Close(); err != nil {
		return fmt.Errorf("close the layer: %w", err)
	}
	return nil
}

// write adds the file to a layer.
func (f File) write(tw *tar.Writer) error {
	hdr := plainHeader(strings.TrimPrefix(f.Path, "/"), int64(len(f.Data)))
	hdr.Mode = f.Mode
	switch {
	case f.Dir:
		hdr.Typeflag, hdr.Name = tar.TypeDir, hdr.Name+"/"
	case f.Link != "":
		hdr.Typeflag, hdr.Linkname, hdr.Mode = tar.TypeSymlink, f.Link, 0o777
	case f.Source != "":
		return f.writeSource(tw, hdr)
	}
	if err := tw.WriteHeader(hdr); err != nil {
		return err
	}
	_, err := tw.Write(f.Data)
	return err
}

// writeSource adds a file of this machine to a layer. Only its bytes are
// taken: its owner, time and mode are this machine's.
func (f File) writeSource(tw *tar.Writer, hdr *tar.Header) error {
	src, err := os.Open(f.Source)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", f.Source)
	}
	hdr.Size = info.Size()
	if err := tw.WriteHeader(hdr); err != nil {
		return err
	}
	_, err = io.CopyN(tw, src, info.Size())
	return err
}

// writeData adds a small file to the archive.
func writeData(tw *tar.Writer, name string, data []byte) error {
	if err := tw.WriteHeader(plainHeader(name, int64(len(data)))); err != nil {
		return fmt.Errorf("write the header of %s: %w", name, err)
	}
	if _, err := io.Copy(tw, bytes.NewReader(data)); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// plainHeader is the header of a regular file of root, of the given bytes.
func plainHeader(name string, size int64) *tar.Header {
	return &tar.Header{
		Typeflag: tar.TypeReg,
		Name:     name,
		Size:     size,
		Mode:     0o644,
		ModTime:  epoch,
		Format:   tar.FormatPAX,
	}
}

// countingWriter counts the bytes that go through it.
type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
