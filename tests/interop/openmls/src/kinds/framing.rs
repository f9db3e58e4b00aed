//! Framing: §6.

use super::*;

/// Framing: §6.
pub fn framing() -> Vec<Kind> {
    vec![
        broken("epoch ahead", "§12.4.2", |c| signed(c, |p| p.content.epoch += 1)),
        broken("epoch behind", "§12.4.2", |c| signed(c, |p| p.content.epoch -= 1)),
        broken("another group's id", "§6", |c| signed(c, |p| p.content.group_id.push(b'x'))),
        broken("sender is a blank leaf", "§6.1", |c| signed(c, |p| p.content.sender = Sender::Member(BLANK))),
        broken("sender is beyond the tree", "§6.1", |c| {
            signed(c, |p| p.content.sender = Sender::Member(4_000_000_000))
        }),
        broken("sender is another member", "§6.1", |c| signed(c, |p| p.content.sender = Sender::Member(OTHER))),
        broken("sender is the external sender", "§12.4.2", |c| {
            let mut public = c.commit(&path());
            public.content.sender = Sender::External(0);
            let seed = c.play.delivery.0.to_vec();
            case(vec![], &c.seal_as(&seed, public))
        }),
        broken("sender proposes to join", "§12.4.2", |c| {
            let mut public = c.commit(&path());
            public.content.sender = Sender::NewMemberProposal;
            case(vec![], &c.seal(public))
        }),
        broken("signature flipped", "§6.1", |c| {
            let mut public = c.commit(&path());
            public.signature[5] ^= 1;
            as_is(c.tag(public).encode())
        }),
        broken("signature of another member", "§6.1", |c| {
            let (public, seed) = (c.commit(&path()), c.seed_of(OTHER));
            as_is(c.seal_as(&seed, public).encode())
        }),
        broken("membership tag flipped", "§6.2", |c| unsigned(c, |p| p.membership.as_mut().unwrap()[0] ^= 1)),
        broken("membership tag empty", "§6.2", |c| unsigned(c, |p| p.membership = Some(vec![]))),
        broken("confirmation tag flipped", "§12.4.2", |c| {
            let mut public = c.commit(&path());
            public.confirmation.as_mut().unwrap()[0] ^= 1;
            as_is(c.tag(public).encode())
        }),
        broken("confirmation tag short", "§12.4.2", |c| {
            let mut public = c.commit(&path());
            public.confirmation.as_mut().unwrap().truncate(16);
            as_is(c.tag(public).encode())
        }),
        broken("authenticated data changed", "§6.1", |c| {
            let mut public = c.commit(&path());
            public.content.aad.push(1);
            as_is(c.tag(public).encode())
        }),
        valid("authenticated data", "§6.1", |c| {
            let mut public = c.commit(&path());
            public.content.aad = b"hello".to_vec();
            case(vec![], &c.seal(public))
        }),
        broken("bytes after the message", "§6", |c| {
            let mut message = c.commit(&path()).encode();
            message.push(0);
            as_is(message)
        }),
        broken("another version", "§6", |c| {
            let mut message = c.commit(&path()).encode();
            message[1] = 2;
            as_is(message)
        }),
        broken("application message in the open", "§6", |c| {
            let mut public = c.commit(&path());
            (public.content.kind, public.content.body, public.confirmation) = (1, vec(b"hello"), None);
            as_is(c.seal(public).encode())
        }),
        broken("own commit of the reader", "§12.4.2", |c| {
            let mut public = c.commit(&path());
            public.content.sender = Sender::Member(2);
            let seed = c.seed_of(2);
            as_is(c.seal_as(&seed, public).encode())
        }),
    ]
}
