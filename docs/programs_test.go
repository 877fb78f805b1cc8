package docs

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// What the programs read of the world, as their code has it. A program's code is its
// main function and what that leads to, declaration by declaration: a package has the
// code of several programs often, and what one of them reads is not what another does.
// A method counts when its type is used and a method of its name is called, be it by an
// interface.

// A program is one of cmd.
type program struct {
	name      string
	flags     map[string]bool // name of each option, and whether it has a value
	controls  map[string]bool // files of control
	variables map[string]bool // of the environment
}

const controlPackage = "goqmail/internal/host/control"

// programs are all of cmd, read once.
var programs = sync.OnceValues(readPrograms)

func allPrograms(t *testing.T) []program {
	t.Helper()
	all, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A declaration is what a package declares under one name, reduced to what matters here.
type declaration struct {
	uses      []types.Object
	texts     []string        // constant strings in it
	flags     map[string]bool // options that it looks for
	isControl bool            // it has to do with control files
}

var (
	isFile     = regexp.MustCompile(`^[a-z][a-z0-9]*(\.cdb)?$`)
	isVariable = regexp.MustCompile(`^([A-Z][A-Z0-9_]+)=?$`)
)

// notFiles are words beside the names of control files: of accounts and defaults.
var notFiles = words("control postmaster group user unknown nofiles root alias qmail qmaild qmaill qmailp qmailq qmailr qmails")

// notVariables are words in capitals that are none of the environment's variables.
var notVariables = words("DATA ESMTP SMTP QMTP QMQP PIPELINING " + // of SMTP, and of Received fields
	"TOP UIDL " + // of POP3; its USER is the name of a variable, too
	"PROXY TCP TCP4 TCP6 UNKNOWN " + // of the PROXY header
	"ERROR USERID " + // of RFC 1413
	"DZK KZD " + // letters of reports
	"TOTAL " + // of a table
	"LISTEN_ TCPLOCAL TCPREMOTE " + // beginnings of variables
	"XXX")

func words(text string) map[string]bool {
	set := make(map[string]bool)
	for _, word := range strings.Fields(text) {
		set[word] = true
	}
	return set
}

func readPrograms() ([]program, error) {
	listing := exec.Command("go", "list", "-deps", "-export", "-json=ImportPath,Dir,GoFiles,Export,Name", "./cmd/...")
	listing.Dir = ".."
	out, err := listing.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return nil, errors.New(string(exit.Stderr))
		}
		return nil, err
	}
	c := checker{
		fset: token.NewFileSet(), exports: make(map[string]string), ours: make(map[string]*types.Package),
		declarations: make(map[types.Object]*declaration), methods: make(map[types.Object][]types.Object),
	}
	c.others = importer.ForCompiler(c.fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(c.exports[path]) })
	var mains []*types.Package
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		c.exports[p.ImportPath] = p.Export
		if !strings.HasPrefix(p.ImportPath, "goqmail/") {
			continue
		}
		checked, err := c.check(p)
		if err != nil {
			return nil, err
		}
		if p.Name == "main" {
			mains = append(mains, checked)
		}
	}
	var all []program
	for _, main := range mains {
		all = append(all, c.program(main))
	}
	return all, nil
}

// A listed package is one that go list tells about, after those that it imports.
type listed struct {
	ImportPath, Dir, Export, Name string
	GoFiles                       []string
}

type checker struct {
	fset         *token.FileSet
	exports      map[string]string // files with what packages export
	others       types.Importer
	ours         map[string]*types.Package
	declarations map[types.Object]*declaration
	methods      map[types.Object][]types.Object // of a type
}

func (c *checker) Import(path string) (*types.Package, error) {
	if p := c.ours[path]; p != nil {
		return p, nil
	}
	return c.others.Import(path)
}

// check reads a package of ours.
func (c *checker) check(p listed) (*types.Package, error) {
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(c.fset, filepath.Join(p.Dir, name), nil, 0)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	info := &types.Info{
		Types: make(map[ast.Expr]types.TypeAndValue),
		Defs:  make(map[*ast.Ident]types.Object),
		Uses:  make(map[*ast.Ident]types.Object),
	}
	checked, err := (&types.Config{Importer: c}).Check(p.ImportPath, c.fset, files, info)
	if err != nil {
		return nil, err
	}
	c.ours[p.ImportPath] = checked
	if p.ImportPath == controlPackage {
		return checked, nil // it knows control/me, which not all who use it read
	}
	for _, f := range files {
		for _, d := range f.Decls {
			c.declare(d, info)
		}
	}
	return checked, nil
}

// declare reads a declaration.
func (c *checker) declare(d ast.Decl, info *types.Info) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		object := info.Defs[d.Name]
		if d.Recv != nil {
			owner := types.Unalias(object.(*types.Func).Signature().Recv().Type())
			if pointer, ok := owner.(*types.Pointer); ok {
				owner = pointer.Elem()
			}
			if named, ok := owner.(*types.Named); ok {
				c.methods[named.Obj()] = append(c.methods[named.Obj()], object)
			}
		}
		c.declarations[object] = c.read(d, info)
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				c.declarations[info.Defs[spec.Name]] = c.read(spec, info)
			case *ast.ValueSpec:
				read := c.read(spec, info)
				for _, name := range spec.Names {
					c.declarations[info.Defs[name]] = read
				}
			}
		}
	}
}

func (c *checker) read(node ast.Node, info *types.Info) *declaration {
	d := &declaration{flags: make(map[string]bool)}
	ast.Inspect(node, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			if object := info.Uses[n]; object != nil {
				d.uses = append(d.uses, object)
			}
			if n.Name == "LineOrMe" || n.Name == "ListOrMe" {
				d.texts = append(d.texts, "me")
			}
		case *ast.CallExpr:
			c.call(d, n, info)
		}
		if e, ok := n.(ast.Expr); ok {
			if v := info.Types[e]; v.Value != nil && v.Value.Kind() == constant.String {
				d.texts = append(d.texts, constant.StringVal(v.Value))
			} else if v.Type != nil && v.Type.String() == controlPackage+".Dir" {
				d.isControl = true
			}
		}
		return true
	})
	return d
}

// call notes what is told by the function that is called.
func (c *checker) call(d *declaration, call *ast.CallExpr, info *types.Info) {
	selector, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok {
		return
	}
	function, ok := info.Uses[selector.Sel].(*types.Func)
	if !ok || function.Pkg() == nil {
		return
	}
	var texts []string // arguments that are constant strings
	for _, a := range call.Args {
		if v := info.Types[a].Value; v != nil && v.Kind() == constant.String {
			texts = append(texts, constant.StringVal(v))
		}
	}
	switch {
	case len(texts) == 0:
	case function.FullName() == "goqmail/internal/host/getopt.New":
		for i, letter := range []byte(texts[0]) {
			if letter != ':' {
				d.flags[string(letter)] = strings.HasPrefix(texts[0][i+1:], ":")
			}
		}
	case function.Pkg().Path() == "flag" && function.Name() != "NewFlagSet":
		d.flags[texts[0]] = !strings.HasPrefix(function.Name(), "Bool")
	}
}

// program follows a main function.
func (c *checker) program(main *types.Package) program {
	p := program{
		name:  path.Base(main.Path()),
		flags: make(map[string]bool), controls: make(map[string]bool), variables: make(map[string]bool),
	}
	seen := make(map[types.Object]bool)
	called := words("Close Error Read String Write") // by the standard library
	waiting := make(map[string][]types.Object)       // methods whose name nobody has called yet
	for todo := []types.Object{main.Scope().Lookup("main")}; len(todo) > 0; {
		object := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if f, ok := object.(*types.Func); ok {
			object = f.Origin()
			if f.Signature().Recv() != nil && !called[f.Name()] {
				called[f.Name()] = true
				todo = append(todo, waiting[f.Name()]...)
			}
		}
		d := c.declarations[object]
		if d == nil || seen[object] {
			continue
		}
		seen[object] = true
		todo = append(todo, d.uses...)
		for _, method := range c.methods[object] {
			if called[method.Name()] {
				todo = append(todo, method)
			} else {
				waiting[method.Name()] = append(waiting[method.Name()], method)
			}
		}
		p.add(d)
	}
	return p
}

// add adds what a declaration reads.
func (p *program) add(d *declaration) {
	for name, value := range d.flags {
		p.flags[name] = value
	}
	for _, text := range d.texts {
		if d.isControl && isFile.MatchString(text) && !notFiles[text] && text != p.name {
			p.controls[text] = true
		}
		if m := isVariable.FindStringSubmatch(text); m != nil && !notVariables[m[1]] {
			p.variables[m[1]] = true
		}
	}
}
