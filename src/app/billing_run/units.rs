//! Which subscriptions are billed in one append: some that are due together, and all that share an invoice.

use std::collections::BTreeMap;

use aggregates::id::SubscriptionId;
use projections::due::Standing;

/// How many subscriptions that do not consolidate are billed in one append.
pub const TOGETHER: usize = 64;
/// How many subscriptions share an invoice at most: beyond them it is split.
pub const MOST_ON_ONE_INVOICE: usize = 1_000;

/// A subscription that is billed, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: SubscriptionId,
    pub standing: Standing,
}

impl Member {
    /// One billing of one subscription: there is one for ever.
    pub fn name(&self) -> String {
        format!("{}/{}", self.id, self.standing.run)
    }
}

/// Those that are due at one moment, in order of their ids, as they are billed: each unit in one append. Those that
/// consolidate alike and have one payer are one, in the place of the first of them.
pub fn units(cohort: Vec<Member>) -> Vec<Vec<Member>> {
    let mut units: Vec<Vec<Member>> = Vec::new();
    let mut alone = Vec::new();
    let mut shared = BTreeMap::new();
    for member in cohort {
        let Some(key) = member.standing.shares() else {
            alone.push(member);
            if alone.len() == TOGETHER {
                units.push(std::mem::take(&mut alone));
            }
            continue;
        };
        let open = shared.get(&key).copied();
        if let Some(n) = open.filter(|n: &usize| units[*n].len() < MOST_ON_ONE_INVOICE) {
            units[n].push(member);
            continue;
        }
        if !alone.is_empty() {
            units.push(std::mem::take(&mut alone));
        }
        shared.insert(key, units.len());
        units.push(vec![member]);
    }
    if !alone.is_empty() {
        units.push(alone);
    }
    units
}

#[cfg(test)]
mod tests {
    use aggregates::{id::CustomerId, money::Currency};
    use projections::subscription::Payer;
    use uuid::Uuid;

    use super::*;

    fn member(n: usize, consolidation: Option<&str>) -> Member {
        paid_by(0, n, consolidation)
    }

    fn paid_by(payer: usize, n: usize, consolidation: Option<&str>) -> Member {
        let id = |n: usize| Uuid::from_u128(n as u128);
        Member {
            id: SubscriptionId(id(n)),
            standing: Standing {
                run: 0,
                payer: Payer {
                    customer: CustomerId(id(payer)),
                    currency: Currency::EUR,
                },
                next_billing: None,
                metered: false,
                consolidation: consolidation.map(str::to_owned),
            },
        }
    }

    fn lengths(cohort: impl Iterator<Item = Member>) -> Vec<usize> {
        units(cohort.collect()).iter().map(Vec::len).collect()
    }

    #[test]
    fn those_that_consolidate_alike_are_one_unit_in_the_place_of_the_first() {
        let keys = [None, Some("a"), None, Some("b"), Some("a"), None];
        let cohort = || keys.into_iter().enumerate().map(|(n, key)| member(n, key));
        let ids = |unit: &Vec<Member>| unit.iter().map(|member| member.id.0.as_u128()).collect::<Vec<_>>();
        let found: Vec<_> = units(cohort().collect()).iter().map(ids).collect();
        assert_eq!(found, [vec![0], vec![1, 4], vec![2], vec![3], vec![5]]);
    }

    #[test]
    fn two_payers_share_an_append_and_no_invoice() {
        let cohort = |consolidation| (0..4).map(move |n| paid_by(n % 2, n, consolidation));
        assert_eq!(lengths(cohort(None)), [4]);
        assert_eq!(lengths(cohort(Some("a"))), [2, 2]);
    }

    #[test]
    fn an_invoice_and_an_append_are_split_where_they_grow_too_large() {
        assert_eq!(lengths((0..130).map(|n| member(n, None))), [64, 64, 2]);
        for (count, expected) in [(999, vec![999]), (1000, vec![1000]), (1001, vec![1000, 1])] {
            assert_eq!(lengths((0..count).map(|n| member(n, Some("a")))), expected);
        }
    }
}
