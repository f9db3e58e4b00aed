//! KeyPackages in Adds: §10.1, §7.3.

use super::*;

/// KeyPackages in Adds: §10.1, §7.3.
pub fn packages() -> Vec<Kind> {
    vec![
        valid("KeyPackage signed again", "§10.1", |c| with_package(c, |_| ())),
        broken("one KeyPackage twice", "§12.2", |c| {
            let package = by_value(&add(&c.outsider(false).0));
            plain(c, &[package.clone(), package])
        }),
        broken("a member's signature key", "§7.3", |c| {
            let (mut package, _) = c.outsider(false);
            package.leaf.signature_key = c.leaf(OTHER).signature_key;
            plain(c, &[by_value(&add(&package.seal(&c.seed_of(OTHER))))])
        }),
        broken("a member's encryption key", "§7.3", |c| {
            let key = c.leaf(OTHER).encryption_key;
            with_package(c, |package| package.leaf.encryption_key = key)
        }),
        broken("two Adds with one signature key", "§7.3", |c| {
            let ((mut one, seed), (other, _)) = (c.outsider(false), c.outsider(false));
            one.leaf.encryption_key = other.leaf.encryption_key.clone();
            one.leaf.identity = b"somebody else".to_vec();
            let same_key =
                Package { leaf: Leaf { signature_key: one.leaf.signature_key.clone(), ..other.leaf }, ..other };
            one.leaf.encryption_key = c.random(32);
            plain(c, &[by_value(&add(&one.seal(&seed))), by_value(&add(&same_key.seal(&seed)))])
        }),
        broken("two Adds with one encryption key", "§7.3", |c| {
            let ((one, _), (mut other, seed)) = (c.outsider(false), c.outsider(true));
            other.leaf.encryption_key = one.leaf.encryption_key.clone();
            plain(c, &[by_value(&add(&one)), by_value(&add(&other.seal(&seed)))])
        }),
        valid("two Adds with one init key", "§10", |c| {
            let ((one, _), (mut other, seed)) = (c.outsider(false), c.outsider(true));
            other.init_key = one.init_key.clone();
            plain(c, &[by_value(&add(&one)), by_value(&add(&other.seal(&seed)))])
        }),
        broken("init key is the encryption key", "§10.1", |c| {
            with_package(c, |package| package.init_key = package.leaf.encryption_key.clone())
        }),
        broken("KeyPackage that expired", "§7.3", |c| {
            with_package(c, |package| package.leaf.source = Source::KeyPackage(1, now_s() - 1_000))
        }),
        broken("KeyPackage from the future", "§7.3", |c| {
            with_package(c, |package| package.leaf.source = Source::KeyPackage(now_s() + 5_000, now_s() + 9_000))
        }),
        broken("KeyPackage of another suite", "§10.1", |c| with_package(c, |package| package.suite = 3)),
        broken("KeyPackage of an unknown suite", "§10.1", |c| with_package(c, |package| package.suite = 0xF04F)),
        broken("KeyPackage of another version", "§10.1", |c| with_package(c, |package| package.version = 2)),
        broken("KeyPackage's signature", "§10.1", |c| {
            let (mut package, _) = c.outsider(false);
            package.signature[3] ^= 1;
            plain(c, &[by_value(&add(&package))])
        }),
        broken("KeyPackage's leaf's signature", "§7.3", |c| {
            let (mut package, _) = c.outsider(false);
            package.leaf.signature[3] ^= 1;
            plain(c, &[by_value(&add(&package))])
        }),
        broken("KeyPackage with an Update's leaf", "§7.3", |c| {
            with_package(c, |package| package.leaf.source = Source::Update)
        }),
        broken("KeyPackage with a Commit's leaf", "§7.3", |c| {
            with_package(c, |package| package.leaf.source = Source::Commit(vec![7; 32]))
        }),
        broken("KeyPackage lacks the required extension", "§7.3", |c| {
            with_package(c, |package| package.leaf.capabilities[2].clear())
        }),
        valid("KeyPackage lacks SelfRemove", "§11.1", |c| {
            with_package(c, |package| package.leaf.capabilities[3].clear())
        }),
        broken("KeyPackage lacks its credential's type", "§7.2", |c| {
            with_package(c, |package| package.leaf.capabilities[4] = vec![0, 2])
        }),
        broken("KeyPackage lacks the group's suite", "§11.1", |c| {
            with_package(c, |package| package.leaf.capabilities[1] = vec![0, 3])
        }),
        broken("KeyPackage lacks the group's version", "§11.1", |c| {
            with_package(c, |package| package.leaf.capabilities[0] = vec![0, 9])
        }),
        broken("leaf extension that its capabilities lack", "§7.2", |c| {
            with_package(c, |package| package.leaf.extensions = typed(0xF777, &vec(b"x")))
        }),
        broken("leaf extension twice", "§13.4", |c| {
            with_package(c, |package| {
                package.leaf.capabilities[2].extend([0xF7, 0x77]);
                package.leaf.extensions = [typed(0xF777, &vec(b"x")), typed(0xF777, &vec(b"y"))].concat();
            })
        }),
        broken("KeyPackage extension that its capabilities lack", "§10", |c| {
            with_package(c, |package| package.extensions = typed(0xF777, &vec(b"x")))
        }),
        broken("x509 credential", "§7.3", |c| {
            with_package(c, |package| {
                package.leaf.credential_type = 2;
                package.leaf.capabilities[4].extend([0, 2]);
            })
        }),
        valid("capabilities with a value that nobody knows", "§13.5", |c| {
            with_package(c, |package| package.leaf.capabilities[2].extend([0x0A, 0x0A]))
        }),
        broken("init key zero", "§10", |c| with_package(c, |package| package.init_key = vec![0; 32])),
        broken("init key that is no key", "§10", |c| with_package(c, |package| package.init_key = vec![1, 2, 3])),
        broken("encryption key that is no key", "§10", |c| {
            with_package(c, |package| package.leaf.encryption_key = vec![1, 2, 3])
        }),
        broken("encryption key zero", "§10", |c| with_package(c, |package| package.leaf.encryption_key = vec![0; 32])),
        valid("Remove and Add of one client", "§12.2", |c| {
            let (mut package, _) = c.outsider(false);
            package.leaf.signature_key = c.leaf(OTHER).signature_key;
            package.leaf.identity = c.leaf(OTHER).identity;
            let package = [vec![0, 1, 0, 5], package.seal(&c.seed_of(OTHER)).encode()].concat();
            case(vec![], &c.commit(&Want { add: vec![package], ..removing(OTHER) }))
        }),
        broken("two Adds of one client", "§12.2", |c| {
            let (one, other) = (c.outsider(false).0, c.outsider(false).0);
            plain(c, &[by_value(&add(&one)), by_value(&add(&other))])
        }),
        broken("Add of a client that is a member", "§12.2", |c| {
            let identity = c.leaf(OTHER).identity;
            with_package(c, |package| package.leaf.identity = identity)
        }),
    ]
}
