//! One append over several subscriptions, and what is done where it fails: a fault that passes splits no invoice, what
//! fails for good is found, and stops no other.

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use futures::{FutureExt, future::BoxFuture};

use crate::{
    app::{
        billing_run::{Step, units::Member},
        due::{Cause, Fault},
    },
    journal::{CommandError, StoreError},
};

/// How often several are tried together where a fault may pass, and how long it is given: doubled each time.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(50);

pub(super) type Result<T> = std::result::Result<T, Fault>;

/// Bills all of them in one append. Where that fails for good, each half by itself: so the one that cannot be billed is
/// found. Where others keep changing one of them, each is billed alone, but what shares an invoice is never split because of
/// a fault that passes: all of it is tried again, now and later.
pub(super) fn together<'a, B, F>(unit: Vec<Member>, bill: &'a B) -> BoxFuture<'a, Vec<(Member, Result<Step>)>>
where
    B: Fn(Vec<Member>) -> F + Sync,
    F: Future<Output = std::result::Result<Vec<Step>, CommandError>> + Send + 'a,
{
    async move {
        let shared = unit.iter().any(|member| member.standing.consolidation.is_some());
        let mut tries = 1;
        let (fault, whole) = loop {
            let fault = match guarded(bill(unit.clone())).await {
                Ok(steps) => return unit.into_iter().zip(steps.into_iter().map(Ok)).collect(),
                Err(fault) => fault,
            };
            let whole = match fault.cause {
                Cause::Itself => false,
                Cause::Contended => shared,
                Cause::Unavailable => true,
            };
            if !whole || unit.len() < 2 || tries == TRIES {
                break (fault, whole);
            }
            tokio::time::sleep(PAUSE * 2_u32.pow(tries - 1)).await;
            tries += 1;
        };
        if whole || unit.len() < 2 {
            return unit.into_iter().map(|member| (member, Err(fault.clone()))).collect();
        }
        // Who is changed by others has been waited for already: what cannot be the cause must not wait as often again.
        let parts = match fault.cause {
            Cause::Contended => unit.len(),
            Cause::Itself | Cause::Unavailable => 2,
        };
        let mut all = Vec::with_capacity(unit.len());
        for part in unit.chunks(unit.len().div_ceil(parts)) {
            all.extend(together(part.to_vec(), bill).await);
        }
        all
    }
    .boxed()
}
/// What came of it, or what keeps it from being done: an error, or a panic.
pub(super) async fn guarded<T>(doing: impl Future<Output = std::result::Result<T, CommandError>>) -> Result<T> {
    match AssertUnwindSafe(doing).catch_unwind().await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Fault {
            reason: explained(&error),
            cause: match &error {
                CommandError::Conflict => Cause::Contended,
                CommandError::Unavailable(cause) if is_in_the_way(cause.downcast_ref()) => Cause::Itself,
                CommandError::Unavailable(_) => Cause::Unavailable,
                CommandError::Refused(_) | CommandError::KeyReused | CommandError::Corrupt(_) => Cause::Itself,
            },
        }),
        Err(panic) => Err(Fault::lasting(format!("an internal fault: {}", said(panic.as_ref())))),
    }
}

/// Whether a row that is there already keeps the command's own from being written. Whatever else a database refuses (its
/// disk is full) it may take a moment later.
fn is_in_the_way(error: Option<&StoreError>) -> bool {
    let Some(StoreError::Failed(sqlx::Error::Database(refused))) = error else {
        return false;
    };
    refused.is_unique_violation()
}

/// The error and what is behind it.
fn explained(error: &CommandError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let reason = error.to_string();
        if !text.ends_with(&reason) {
            text.push_str(&format!(": {reason}"));
        }
        cause = error.source();
    }
    text
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it panicked")
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use aggregates::{
        id::{CustomerId, SubscriptionId},
        money::Currency,
        subscription::Refused,
    };
    use projections::{due::Standing, subscription::Payer};
    use uuid::Uuid;

    use super::*;

    fn unit(count: u128, consolidation: Option<&str>) -> Vec<Member> {
        let member = |n| Member {
            id: SubscriptionId(Uuid::from_u128(n)),
            standing: Standing {
                run: 0,
                payer: Payer {
                    customer: CustomerId(Uuid::nil()),
                    currency: Currency::EUR,
                },
                next_billing: None,
                metered: false,
                consolidation: consolidation.map(str::to_owned),
            },
        };
        (0..count).map(member).collect()
    }

    fn steps(members: &[Member]) -> Vec<Step> {
        let step = |_: &Member| Step {
            run: 1,
            accrued: 1,
            invoices: Vec::new(),
            next: None,
            refused: None,
        };
        members.iter().map(step).collect()
    }

    /// How many were billed together each time, and how many could not be billed.
    async fn tried(
        unit: Vec<Member>,
        fails: impl Fn(usize, &[Member]) -> Option<CommandError> + Sync,
    ) -> (Vec<usize>, usize) {
        let count = unit.len();
        let sizes = Mutex::new(Vec::new());
        let bill = |members: Vec<Member>| {
            let mut sizes = sizes.lock().expect("the sizes");
            sizes.push(members.len());
            let failed = fails(sizes.len(), &members);
            async move { failed.map_or_else(|| Ok(steps(&members)), Err) }
        };
        let done = together(unit, &bill).await;
        assert_eq!(done.len(), count);
        let failed = done.iter().filter(|(_, result)| result.is_err()).count();
        let sizes = sizes.lock().expect("the sizes").clone();
        (sizes, failed)
    }

    #[tokio::test]
    async fn a_fault_that_passes_splits_nothing() {
        let broken = || CommandError::Unavailable("the connection broke".into());
        let five = || unit(5, Some("north"));
        let once = tried(five(), |time, _| (time == 1).then(broken)).await;
        assert_eq!(once, (vec![5, 5], 0));
        let conflict = tried(five(), |time, _| (time < 3).then_some(CommandError::Conflict)).await;
        assert_eq!(conflict, (vec![5, 5, 5], 0));
        let down = tried(five(), |_, _| Some(broken())).await;
        assert_eq!(down, (vec![5, 5, 5], 5), "all of it waits for the next round");
        let alone = tried(unit(5, None), |_, _| Some(broken())).await;
        assert_eq!(alone, (vec![5, 5, 5], 5), "nothing else could be billed either");
        let full = || StoreError::Failed(sqlx::Error::Protocol("the disk is full".to_owned()));
        let refused = tried(five(), |_, _| Some(full().into())).await;
        assert_eq!(
            refused,
            (vec![5, 5, 5], 5),
            "there may be room when all of it is tried again"
        );
    }

    #[tokio::test]
    async fn who_is_changed_by_others_stops_only_those_who_share_an_invoice_with_it() {
        let third = SubscriptionId(Uuid::from_u128(2));
        let changed = |members: &[Member]| members.iter().any(|member| member.id == third);
        let fails = |_, members: &[Member]| changed(members).then_some(CommandError::Conflict);
        let shared = tried(unit(4, Some("north")), fails).await;
        assert_eq!(shared, (vec![4, 4, 4], 4));
        let alone = tried(unit(4, None), fails).await;
        assert_eq!(alone, (vec![4, 1, 1, 1, 1], 1), "each is tried alone, once");
    }

    #[tokio::test]
    async fn the_one_that_cannot_be_billed_is_found_by_halves() {
        let third = SubscriptionId(Uuid::from_u128(2));
        let holds = |members: &[Member]| members.iter().any(|member| member.id == third);
        let four = || unit(4, Some("north"));
        let found = tried(four(), |_, members| holds(members).then(|| Refused::Unknown.into())).await;
        assert_eq!(found, (vec![4, 2, 2, 1, 1], 1));
        let damaged = tried(four(), |_, members| {
            holds(members).then(|| CommandError::Corrupt("a row".into()))
        });
        assert_eq!(damaged.await, (vec![4, 2, 2, 1, 1], 1));
    }

    #[tokio::test]
    async fn what_keeps_a_subscription_from_being_billed_is_named() {
        assert_eq!(guarded(async { Ok(7) }).await, Ok(7));
        let named = guarded(async { Err::<(), _>(Refused::Unknown.into()) }).await;
        assert_eq!(named, Err(Fault::lasting(Refused::Unknown.to_string())));
        let panicked = guarded(async { if true { panic!("line {}", 7) } else { Ok(()) } }).await;
        assert_eq!(panicked, Err(Fault::lasting("an internal fault: line 7".to_owned())));
    }
}
