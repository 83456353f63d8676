package scripted;

import de.bwaldvogel.mongo.bson.BsonTimestamp;
import de.bwaldvogel.mongo.bson.Document;
import java.time.Instant;
import java.util.Set;

/**
 * One change, with its time and the documents around it.
 *
 * <p>Owns what a change stream tells of it, which depends on what the stream asked for. Changes are
 * told by a clock of the scenario, three in each second, so that the same scenario gives the same
 * events on every day.
 */
record Change(int number, Document event, Document before, Document after, Document lookedUp) {
  private static final Instant BEGINNING = Instant.parse("2024-05-06T07:08:00Z");
  private static final Set<String> ALWAYS_SHOWN =
      Set.of("insert", "update", "replace", "delete", "drop", "rename", "dropDatabase", "invalidate");

  /** Before every change. */
  static BsonTimestamp beginning() {
    return new BsonTimestamp(BEGINNING, 0);
  }

  /** A resume token: opaque to its readers, except that Debezium takes the time out of it. */
  static Document token(BsonTimestamp time) {
    return new Document("_data", String.format("82%016X2B0429296E1404", time.getValue()));
  }

  BsonTimestamp time() {
    return new BsonTimestamp(BEGINNING.plusSeconds(1 + number / 3), 1 + number % 3);
  }

  boolean isShown(Document stream, String database, String collection) {
    Document namespace = (Document) event.get("ns");
    return (database == null || database.equals(namespace.get("db")))
        && (collection == null || collection.equals(namespace.get("coll")))
        && (ALWAYS_SHOWN.contains(event.get("operationType"))
            || Boolean.TRUE.equals(stream.get("showExpandedEvents")));
  }

  /** The event, in the order of names that MongoDB writes. */
  Document told(Document stream) {
    Document told = new Document("_id", token(time())).append("operationType", event.get("operationType"));
    told.append("clusterTime", time());
    told.append("wallTime", Instant.ofEpochSecond(time().getTime()).plusMillis(123));
    switch ((String) event.get("operationType")) {
      case "insert", "replace" -> told.append("fullDocument", after);
      case "update" -> {
        switch (String.valueOf(stream.get("fullDocument"))) {
          case "updateLookup" -> told.append("fullDocument", lookedUp);
          case "whenAvailable", "required" -> told.append("fullDocument", after);
          default -> {}
        }
      }
      default -> {}
    }
    event.forEach(told::putIfAbsent);
    if (Set.of("whenAvailable", "required").contains(String.valueOf(stream.get("fullDocumentBeforeChange")))
        && !"insert".equals(event.get("operationType"))) {
      told.append("fullDocumentBeforeChange", before);
    }
    return told.cloneDeeply();
  }
}
