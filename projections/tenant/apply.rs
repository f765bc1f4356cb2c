//! Tenants and credentials: from events to rows.

use aggregates::{AnyEvent, tenant::Event};

use crate::{
    Recorded, Table, Value, Write, Writes,
    table::{int, text},
    value::word,
};

pub static TENANTS: Table = Table {
    name: "tenants",
    columns: &[
        text("tenant"),
        text("name"),
        text("company_id"),
        text("brand_id"),
        int("created_at"),
        int("test_clock"),
    ],
    key: 1,
};

/// What the tenant's own clock shows; null where the tenant lives in real time.
const TEST_CLOCK: usize = 5;

pub static CREDENTIALS: Table = Table {
    name: "credentials",
    columns: &[
        text("tenant"),
        text("kind"),
        text("public_id"),
        text("secret_sha256"),
        int("created_at"),
    ],
    key: 3,
};

pub fn apply(recorded: &Recorded<'_>, writes: &mut Writes) {
    let AnyEvent::Tenant(event) = recorded.event else {
        return;
    };
    let tenant = || Value::from(recorded.tenant.as_str());
    match event {
        Event::Created {
            at,
            name,
            company_id,
            brand_id,
            test_mode,
        } => writes.push(Write::Put(
            &TENANTS,
            vec![
                tenant(),
                name.as_str().into(),
                company_id.to_string().into(),
                brand_id.to_string().into(),
                (*at).into(),
                test_mode.then_some(*at).into(),
            ],
        )),
        Event::ClockMoved { at } => {
            writes.push(Write::Set(&TENANTS, vec![tenant()], vec![(TEST_CLOCK, (*at).into())]));
        }
        Event::CredentialIssued { at, credential } => writes.push(Write::Put(
            &CREDENTIALS,
            vec![
                tenant(),
                word(&credential.kind),
                credential.public_id.as_str().into(),
                credential.secret_sha256.as_str().into(),
                (*at).into(),
            ],
        )),
    }
}
