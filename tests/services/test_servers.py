"""The servers of this tier: each is real, keeps its data, and restarts."""

import kombu

from tests.services import keeper, processes


def rows(database):
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT word FROM words ORDER BY word")
        return [word for (word,) in cursor.fetchall()]


def add(database, word):
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO words VALUES (%s)", (word,))


def test_a_database_keeps_its_rows_when_killed_and_restarted(database):
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE words (word VARCHAR(20) PRIMARY KEY)")
    add(database, "before")
    idle = database.connect()
    database.kill()
    assert not processes.listens(database.port)
    idle.close()
    database.restart()
    add(database, "killed")
    database.restart()
    add(database, "restarted")
    assert rows(database) == ["before", "killed", "restarted"]


def test_a_database_can_be_emptied(database):
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE words (word VARCHAR(20) PRIMARY KEY)")
    assert database.emptied() == database.url
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM information_schema.tables WHERE table_name = 'words'")
        assert cursor.fetchone() == (0,)


def queue(broker):
    connection = kombu.Connection(broker.url.replace("rabbit://", "amqp://"))
    return connection, connection.SimpleQueue("words", queue_opts={"durable": True})


def put(broker, word):
    connection, words = queue(broker)
    with connection, words:
        words.put(word)
        words.producer.channel.close()


def take(broker):
    connection, words = queue(broker)
    with connection, words:
        taken = []
        for _ in range(words.qsize()):
            message = words.get(timeout=30)
            taken.append(message.payload)
            message.ack()
        return taken


def test_a_broker_keeps_durable_messages_or_restarts_empty(broker):
    put(broker, "before")
    broker.restart()
    put(broker, "restarted")
    assert take(broker) == ["before", "restarted"]
    put(broker, "lost")
    broker.kill()
    assert not processes.listens(broker.port)
    broker.restart(empty=True)
    assert take(broker) == []
    put(broker, "emptied")
    assert take(broker) == ["emptied"]


def test_a_killed_process_takes_its_children_with_it(tmp_path):
    parent = processes.Process("parent", ["sh", "-c", "sleep 600 & sleep 600 & wait"], tmp_path / "log")
    parent.start()
    children = processes.until(lambda: len(found := keeper.descendants(parent.pid)) == 2 and found)
    parent.kill()
    assert not any(keeper.alive(child) for child in children)
