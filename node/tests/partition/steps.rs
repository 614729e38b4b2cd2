//! Steps that every other step needs.

use jiff::Timestamp;

use crate::store::TestPartition;

#[tokio::test]
async fn a_partition_tells_the_time_of_its_redis() {
    let store = TestPartition::start().await;
    let told = store.partition.clock().await.unwrap();
    assert!(told.duration_since(Timestamp::now()).abs().as_secs() < 2, "{told}");
}
