//! Lists of proposals: §12.2, §12.1.

use super::*;

/// Lists of proposals: §12.2, §12.1.
pub fn lists() -> Vec<Kind> {
    vec![
        valid("path alone", "§12.4", |c| case(vec![], &c.commit(&path()))),
        valid("Add alone", "§12.4", |c| {
            let (package, _) = c.outsider(true);
            plain(c, &[by_value(&add(&package))])
        }),
        valid("two Adds", "§12.4", |c| {
            let (one, other) = (c.outsider(true).0, c.outsider(false).0);
            plain(c, &[by_value(&add(&one)), by_value(&add(&other))])
        }),
        valid("Remove", "§12.4", |c| case(vec![], &c.commit(&removing(OTHER)))),
        valid("policy", "§12.1.7", |c| {
            case(vec![], &c.commit(&Want { policy: Some(b"other".to_vec()), ..Want::default() }))
        }),
        valid("SelfRemove by reference", "draft-ietf-mls-extensions", |c| {
            let (message, reference) = self_remove(c, LAST);
            let case = edited(c, &removing(LAST), |commit| commit.proposals = by_reference(&reference));
            Case { earlier: vec![message], ..case }
        }),
        valid("external sender's Remove by reference", "§12.1.8.1", |c| {
            let (message, reference) = c.external_remove(LAST);
            let case = edited(c, &removing(LAST), |commit| commit.proposals = by_reference(&reference));
            Case { earlier: vec![message], ..case }
        }),
        broken("committer removes itself", "§12.2", |c| with_path(c, &[by_value(&remove(EVE as u32))])),
        broken("committer leaves by SelfRemove", "draft-ietf-mls-extensions", |c| {
            let proposal = self_remove(c, EVE as u32);
            referring(c, vec![proposal], &[])
        }),
        broken("Update by value", "§12.2", |c| {
            let leaf = updated(c, EVE as u32, EVE as u32);
            with_path(c, &[by_value(&update(&leaf))])
        }),
        broken("committer's own Update by reference", "§12.2", |c| {
            let leaf = updated(c, EVE as u32, EVE as u32);
            let proposal = c.proposal(EVE as u32, update(&leaf));
            referring(c, vec![proposal], &[])
        }),
        broken("Update and Remove of one leaf", "§12.2", |c| {
            let leaf = updated(c, OTHER, OTHER);
            let proposal = c.proposal(OTHER, update(&leaf));
            referring(c, vec![proposal], &[by_value(&remove(OTHER))])
        }),
        broken("two Updates of one leaf", "§12.2", |c| {
            let (one, other) = (updated(c, OTHER, OTHER), updated(c, OTHER, OTHER));
            let proposals = vec![c.proposal(OTHER, update(&one)), c.proposal(OTHER, update(&other))];
            referring(c, proposals, &[])
        }),
        broken("Update that another member signed", "§7.3", |c| {
            let leaf = updated(c, OTHER, EVE as u32);
            let proposal = c.proposal(OTHER, update(&leaf));
            referring(c, vec![proposal], &[])
        }),
        broken("Update from a KeyPackage's leaf", "§7.3", |c| {
            let mut leaf = updated(c, OTHER, OTHER);
            leaf.source = Source::KeyPackage(now_s() - 1, now_s() + 1000);
            let leaf = leaf.seal(&c.seed_of(OTHER), b"", 0);
            let proposal = c.proposal(OTHER, update(&leaf));
            referring(c, vec![proposal], &[])
        }),
        broken("Update that keeps the encryption key", "§12.1.2", |c| {
            let mut leaf = updated(c, OTHER, OTHER);
            leaf.encryption_key = c.leaf(OTHER).encryption_key;
            let leaf = leaf.seal(&c.seed_of(OTHER), crate::play::GROUP_ID, OTHER);
            let proposal = c.proposal(OTHER, update(&leaf));
            referring(c, vec![proposal], &[])
        }),
        broken("Update without a path", "§12.4", |c| {
            let leaf = updated(c, OTHER, OTHER);
            let (message, reference) = c.proposal(OTHER, update(&leaf));
            Case { earlier: vec![message], ..plain(c, &[by_reference(&reference)]) }
        }),
        broken("Remove twice", "§12.2", |c| {
            edited(c, &removing(OTHER), |commit| commit.proposals.extend(by_value(&remove(OTHER))))
        }),
        broken("Remove of a blank leaf", "§12.1.3", |c| with_path(c, &[by_value(&remove(BLANK))])),
        broken("Remove beyond the tree", "§12.1.3", |c| with_path(c, &[by_value(&remove(1_000))])),
        broken("Remove at the end of numbers", "§12.1.3", |c| with_path(c, &[by_value(&remove(u32::MAX))])),
        broken("SelfRemove by value", "draft-ietf-mls-extensions", |c| with_path(c, &[by_value(&SELF_REMOVE)])),
        broken("SelfRemove and Remove of one leaf", "draft-ietf-mls-extensions", |c| {
            let (message, reference) = self_remove(c, LAST);
            let case = edited(c, &removing(LAST), |commit| commit.proposals.extend(by_reference(&reference)));
            Case { earlier: vec![message], ..case }
        }),
        broken("SelfRemove twice", "draft-ietf-mls-extensions", |c| {
            let (one, other) = (self_remove(c, LAST), c.proposal(LAST, SELF_REMOVE.to_vec()));
            let both = [by_reference(&one.1), by_reference(&other.1)].concat();
            let case = edited(c, &removing(LAST), |commit| commit.proposals = both);
            Case { earlier: vec![one.0, other.0], ..case }
        }),
        broken("SelfRemove and Update of one leaf", "draft-ietf-mls-extensions", |c| {
            let leaf = updated(c, LAST, LAST);
            let (one, other) = (self_remove(c, LAST), c.proposal(LAST, update(&leaf)));
            let both = [by_reference(&one.1), by_reference(&other.1)].concat();
            let case = edited(c, &removing(LAST), |commit| commit.proposals = both);
            Case { earlier: vec![one.0, other.0], ..case }
        }),
        broken("SelfRemove without a path", "draft-ietf-mls-extensions", |c| {
            let (message, reference) = self_remove(c, LAST);
            Case { earlier: vec![message], ..plain(c, &[by_reference(&reference)]) }
        }),
        broken("unknown reference", "§12.4.2", |c| {
            let (_, reference) = self_remove(c, LAST);
            edited(c, &removing(LAST), |commit| commit.proposals = by_reference(&reference))
        }),
        broken("reference twice", "§12.2", |c| {
            let (message, reference) = self_remove(c, LAST);
            let both = [by_reference(&reference), by_reference(&reference)].concat();
            Case { earlier: vec![message], ..edited(c, &removing(LAST), |commit| commit.proposals = both) }
        }),
        broken("reference that is no hash", "§12.4.2", |c| with_path(c, &[by_reference(b"short")])),
        broken("nothing and no path", "§12.4", |c| plain(c, &[])),
        broken("Remove without a path", "§12.4", |c| plain(c, &[by_value(&remove(OTHER))])),
        broken("policy without a path", "§12.4", |c| {
            let list = extensions(&context_extensions(c));
            plain(c, &[by_value(&list)])
        }),
        broken("GroupContextExtensions twice", "§12.2", |c| {
            let list = by_value(&extensions(&context_extensions(c)));
            with_path(c, &[list.clone(), list])
        }),
        broken("two GroupContextExtensions", "§12.2", |c| {
            let mut list = context_extensions(c);
            let one = by_value(&extensions(&list));
            list.iter_mut().filter(|(kind, _)| *kind == POLICY).for_each(|(_, old)| old.push(1));
            with_path(c, &[one, by_value(&extensions(&list))])
        }),
        broken("context extension that nobody supports", "§12.1.7", |c| {
            let mut list = context_extensions(c);
            list.push((0xF777, vec![1]));
            with_path(c, &[by_value(&extensions(&list))])
        }),
        unsealed("context extension that all support and none requires", "§12.1.7", |c| {
            let mut list = context_extensions(c);
            list.push((LAST_RESORT, vec![]));
            with_path(c, &[by_value(&extensions(&list))])
        }),
        broken("context extension twice", "§13.4", |c| {
            let mut list = context_extensions(c);
            list.push((POLICY, b"again".to_vec()));
            with_path(c, &[by_value(&extensions(&list))])
        }),
        broken("required capabilities that nobody has", "§12.1.7", |c| {
            let mut list = context_extensions(c);
            let data = [vec(&[0xF1, 0x00, 0xF7, 0x77]), vec(b""), vec(b"")].concat();
            list.iter_mut()
                .filter(|(kind, _)| *kind == REQUIRED_CAPABILITIES)
                .for_each(|(_, old)| old.clone_from(&data));
            with_path(c, &[by_value(&extensions(&list))])
        }),
        broken("required proposal that nobody has", "§12.1.7", |c| {
            let mut list = context_extensions(c);
            let data = [vec(&[0xF1, 0x00]), vec(&[0xF7, 0x77]), vec(b"")].concat();
            list.iter_mut()
                .filter(|(kind, _)| *kind == REQUIRED_CAPABILITIES)
                .for_each(|(_, old)| old.clone_from(&data));
            with_path(c, &[by_value(&extensions(&list))])
        }),
        broken("required capabilities that are no list", "§11.1", |c| {
            let mut list = context_extensions(c);
            list.iter_mut().filter(|(kind, _)| *kind == REQUIRED_CAPABILITIES).for_each(|(_, old)| *old = vec![9]);
            with_path(c, &[by_value(&extensions(&list))])
        }),
        unsealed("the policy dropped", "§12.1.7", |c| {
            let list: Vec<_> = context_extensions(c).into_iter().filter(|(kind, _)| *kind != POLICY).collect();
            with_path(c, &[by_value(&extensions(&list))])
        }),
        unsealed("the external senders dropped", "§12.1.7", |c| {
            let list: Vec<_> =
                context_extensions(c).into_iter().filter(|(kind, _)| *kind != EXTERNAL_SENDERS).collect();
            with_path(c, &[by_value(&extensions(&list))])
        }),
        unsealed("context extension that belongs elsewhere", "§17.3", |c| {
            let mut list = context_extensions(c);
            list.push((EXTERNAL_PUB, vec(&c.random(32))));
            with_path(c, &[by_value(&extensions(&list))])
        }),
        broken("context extension that cannot be read", "§13.4", |c| {
            let mut list = context_extensions(c);
            list.push((EXTERNAL_PUB, vec![9]));
            with_path(c, &[by_value(&extensions(&list))])
        }),
        unsealed("external sender with an x509 credential", "§5.3.1", |c| {
            let mut list = context_extensions(c);
            let sender = [vec(&c.random(32)), vec![0, 2], vec(&vec(b"no certificate"))].concat();
            list.iter_mut().filter(|(kind, _)| *kind == EXTERNAL_SENDERS).for_each(|(_, old)| *old = vec(&sender));
            with_path(c, &[by_value(&extensions(&list))])
        }),
        valid("pre-shared key", "§12.1.4", |c| plain(c, &[by_value(&external_psk(b"psk a", &c.random(32)))])),
        valid("one pre-shared key under two nonces", "§12.2", |c| {
            let (one, other) = (external_psk(b"psk a", &c.random(32)), external_psk(b"psk a", &c.random(32)));
            plain(c, &[by_value(&one), by_value(&other)])
        }),
        broken("unknown pre-shared key", "§12.4.2", |c| plain(c, &[by_value(&external_psk(b"psk x", &c.random(32)))])),
        broken("pre-shared key twice", "§12.2", |c| {
            let psk = by_value(&external_psk(b"psk a", &c.random(32)));
            plain(c, &[psk.clone(), psk])
        }),
        broken("nonce too short", "§12.1.4", |c| plain(c, &[by_value(&external_psk(b"psk a", &c.random(31)))])),
        broken("nonce too long", "§12.1.4", |c| plain(c, &[by_value(&external_psk(b"psk a", &c.random(33)))])),
        broken("resumption for a re-initialisation", "§12.1.4", |c| {
            plain(c, &[by_value(&resumption_psk(2, c.epoch, &c.random(32)))])
        }),
        broken("resumption for a branch", "§12.1.4", |c| {
            plain(c, &[by_value(&resumption_psk(3, c.epoch, &c.random(32)))])
        }),
        broken("resumption of an epoch to come", "§12.4.2", |c| {
            plain(c, &[by_value(&resumption_psk(1, c.epoch + 9, &c.random(32)))])
        }),
        valid("ReInit", "§12.1.5", |c| plain(c, &[by_value(&reinit())])),
        broken("ReInit with another", "§12.2", |c| {
            let (package, _) = c.outsider(false);
            plain(c, &[by_value(&reinit()), by_value(&add(&package))])
        }),
        broken("ExternalInit from a member", "§12.2", |c| with_path(c, &[by_value(&external_init(&c.random(32)))])),
        broken("proposal type that nobody supports", "§12.2", |c| {
            plain(c, &[by_value(&typed(0xF0F0, &vec(b"hello")))])
        }),
        broken("proposal type zero", "§12.1", |c| plain(c, &[by_value(&typed(0, &vec(b"")))])),
        broken("list that ends early", "§12.4", |c| plain(c, &[by_value(&[0, 3, 0])])),
        valid("Remove by reference from a member", "§12.4", |c| {
            let (message, reference) = c.proposal(OTHER, remove(LAST));
            let case = edited(c, &removing(LAST), |commit| commit.proposals = by_reference(&reference));
            Case { earlier: vec![message], ..case }
        }),
    ]
}
