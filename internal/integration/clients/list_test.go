package clients

import (
	"slices"
	"strings"
	"testing"

	"goqmail/internal/integration/site"
)

// list is a mailing list manager in the way of ezmlm, for joe's .qmail-list and
// .qmail-list-default. What it is told comes in addresses:
//
//	joe-list                           a post, to all subscribers
//	joe-list-subscribe                 from whom it comes
//	joe-list-subscribe-box=host        somebody else
//	joe-list-unsubscribe[-box=host]
//	joe-list-return-N-box=host         a bounce of post N to that subscriber
//	joe-list-return-N-                 one of our own host, for all whom it names
//
// Each subscriber gets a post with a sender of his own, which qmail-send makes of one
// that ends in -@[] (VERP), so that other hosts' bounces tell whose address has failed,
// whatever they look like. qmail-send's own go to the sender before that, and have a
// form of their own (QSBMF).
const list = `set -e
address() { echo "$1" | sed 's/=\([^=]*\)$/@\1/'; }
case $DEFAULT in
"")
	n=$(cat number 2>/dev/null || echo 0); n=$((n+1)); echo $n >number
	NEWSENDER="$LOCAL-return-$n-@$HOST-@[]"; export NEWSENDER
	exec forward $(cat subscribers) ;;
subscribe) echo "$SENDER" >>subscribers ;;
subscribe-*) address "${DEFAULT#subscribe-}" >>subscribers ;;
unsubscribe) grep -v -x -F "$SENDER" subscribers >new || true; mv new subscribers ;;
unsubscribe-*) grep -v -x -F "$(address "${DEFAULT#unsubscribe-}")" subscribers >new || true; mv new subscribers ;;
return-*)
	[ -z "$SENDER" ] || { echo "This is not a bounce."; exit 100; }
	cat >bounce
	gone=$(echo "$DEFAULT" | sed 's/^return-[0-9]*-//')
	if [ -n "$gone" ]; then
		address "$gone" >gone
	else
		sed '1,/^$/d; /^--- Below this line/,$d' bounce >report
		grep -q '^Hi\. This is the' report
		sed -n 's/^<\(.*\)>:$/\1/p' report >gone
	fi
	grep -v -x -F -f gone subscribers >new || true; mv new subscribers ;;
*) echo "Sorry, the list knows no such command."; exit 100 ;;
esac
`

// TestMailingList: a list lives in .qmail files, from the first subscriber to the
// one whose address has failed.
func TestMailingList(t *testing.T) {
	s := site.New(t)
	ann, bob := s.Maildir("ann", "Maildir"), s.Maildir("bob", "Maildir")
	s.UserFile("joe", "list", list, 0o755)
	s.UserFile("joe", "subscribers", "", 0o644)
	s.UserFile("joe", ".qmail-list", "|sh ./list\n", 0o644)
	s.UserFile("joe", ".qmail-list-default", "|sh ./list\n", 0o644)
	s.Control("smtproutes", "remote.example:127.0.0.1:2600\n")
	remoteHost(t)
	y := s.Up("./Maildir/")
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(y.Log())
		}
	})

	const host = "@host.example.org"
	send := func(sender, recipient, subject string) {
		t.Helper()
		s.Queue("From: "+sender+"\nSubject: "+subject+"\n\n", sender, recipient+host)
		y.WaitEmpty()
	}
	subscribers := func(want ...string) {
		t.Helper()
		got := strings.Fields(s.Read(site.Account("joe").Home + "/subscribers"))
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Fatalf("subscribers %v, should be %v", got, want)
		}
	}
	// posts are the numbers of the list's messages in a maildir.
	posts := func(maildir, subscriber string) (numbers string) {
		t.Helper()
		var list []string
		for _, m := range s.ReadDir(maildir + "/new") {
			path, _, _ := strings.Cut(m, "\n")
			n, ok := strings.CutPrefix(path, "Return-Path: <joe-list-return-")
			if !ok {
				continue
			}
			n, ok = strings.CutSuffix(n, "-"+subscriber+"=host.example.org"+host+">")
			if !ok {
				t.Errorf("%s in the maildir of %s", path, subscriber)
			}
			list = append(list, n)
		}
		slices.Sort(list)
		return strings.Join(list, " ")
	}

	send("ann"+host, "joe-list-subscribe", "")
	send("bob"+host, "joe-list-subscribe", "")
	send("joe"+host, "joe-list-subscribe-nobody=host.example.org", "")
	send("joe"+host, "joe-list-subscribe-sue=remote.example", "")
	subscribers("ann"+host, "bob"+host, "nobody"+host, "sue@remote.example")
	send("ann"+host, "joe-list-help", "")
	if bounces := s.ReadDir(ann + "/new"); len(bounces) != 1 || !strings.Contains(bounces[0], "the list knows no such command") {
		t.Errorf("%q", bounces)
	}

	send("bob"+host, "joe-list", "first")
	subscribers("ann"+host, "bob"+host, "sue@remote.example") // nobody has bounced
	send("bob"+host, "joe-list-return-1-ann=host.example.org", "no bounce")
	send("", "joe-list-return-1-sue=remote.example", "Undeliverable")
	subscribers("ann"+host, "bob"+host)
	send("ann"+host, "joe-list", "second")
	send("bob"+host, "joe-list-unsubscribe", "")
	send("joe"+host, "joe-list", "third")
	subscribers("ann" + host)
	if got := posts(ann, "ann"); got != "1 2 3" {
		t.Errorf("ann has posts %s", got)
	}
	if got := posts(bob, "bob"); got != "1 2" {
		t.Errorf("bob has posts %s", got)
	}
	send("joe"+host, "joe-list-unsubscribe-ann=host.example.org", "")
	subscribers()
}
