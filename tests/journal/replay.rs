//! The read models are what the log says, and a replay proves it.

use billstream::journal::replay::{Replayed, RowFault, replay};

use super::history::{fill, quiet, rows, tamper};
use crate::support::{TestApp, on_both};

async fn replayed(test: &TestApp) -> Replayed {
    replay(&test.app.journal, test.clock.as_ref(), &quiet)
        .await
        .expect("replayed")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_log_leads_to_the_same_read_models_also_after_a_customer_was_forgotten() {
    on_both(async |test| {
        fill(&test).await;
        let result = replayed(&test).await;
        assert!(result.is_identical(), "{result:#?}");
        let rows_of = |name: &str| {
            result
                .tables
                .iter()
                .find(|table| table.table == name)
                .map(|table| table.rows)
        };
        assert_eq!(rows_of("customers"), Some(9));
        assert_eq!(rows_of("invoices"), Some(8));
        assert_eq!(rows_of("customer_timeline"), Some(9 + 9 + 8 + 1));
        for name in ["customers__replay", "invoices__replay"] {
            let sql = format!("SELECT COUNT(*) FROM {name}");
            assert!(
                test.app.journal.store().read(&sql, &[]).await.is_err(),
                "{name} is left over"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_a_lost_and_an_invented_row_are_found() {
    on_both(async |test| {
        let customers = fill(&test).await;
        tamper(&test, "UPDATE invoices SET total = total + 1 WHERE number = 3", &[]).await;
        tamper(
            &test,
            "DELETE FROM customers WHERE customer = $1",
            &[customers[2].to_string().into()],
        )
        .await;
        let result = replayed(&test).await;
        assert!(!result.is_identical());
        let table = |name: &str| {
            result
                .tables
                .iter()
                .find(|table| table.table == name)
                .expect("compared")
        };
        assert_eq!(table("invoices").different, 2);
        assert!(matches!(
            table("invoices").first.as_slice(),
            [RowFault::NotInLog(live), RowFault::NotInView(log)] if live.int(9) == Ok(1235) && log.int(9) == Ok(1234)
        ));
        assert_eq!(table("customers").different, 1);
        assert!(matches!(table("customers").first.as_slice(), [RowFault::NotInView(_)]));
        assert_eq!(table("charges").different, 0);
        assert_eq!(rows(&test, "SELECT 1 FROM customers", &[]).await.len(), 8);
    })
    .await;
}
