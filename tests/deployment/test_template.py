"""What must hold of the template as it is deployed."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.builders import stopped
from tests.fakes import MemoryWorld
from tests.flows.stage import FILE, begun, pass_by, webhook

type Template = dict[str, Any]

COMPOSING = {"ComposePlan", "Compose", "ComposeEnd"}
FUNCTIONS = {"APIHandler", "Authorize", "Ingest", "Render", "Settle", "Reconcile", "Sweep", *COMPOSING}
COMPOSITIONS = {"Fn::Sub": "${OutputBucket.Arn}/sessions/*/compositions/*"}
# X-Ray has no resources that could be named.
WITHOUT_RESOURCES = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}


def of_type(template: Template, kind: str) -> dict[str, Any]:
    found = {name: told for name, told in template["Resources"].items() if told["Type"] == kind}
    assert found
    return found


def roles(template: Template) -> dict[str, str]:
    functions = of_type(template, "AWS::Serverless::Function")
    return {name: told["Properties"]["Role"]["Fn::GetAtt"][0] for name, told in functions.items()}


def statements(template: Template, role: str) -> list[dict[str, Any]]:
    policies = template["Resources"][role]["Properties"]["Policies"]
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def granted(template: Template, function: str) -> set[str]:
    return {
        action
        for statement in statements(template, roles(template)[function])
        for action in statement["Action"]
    }


def all_statements(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    for function, role in roles(template).items():
        for statement in statements(template, role):
            yield function, statement


# --- rights -----------------------------------------------------------------------------------------


def test_every_function_is_there_with_a_role_of_its_own(template: Template) -> None:
    assert roles(template).keys() == FUNCTIONS
    assert len(set(roles(template).values())) == len(FUNCTIONS)


def test_every_resource_that_can_be_named_is(template: Template) -> None:
    for function, statement in all_statements(template):
        if set(statement["Action"]) - WITHOUT_RESOURCES:
            assert "*" not in (statement["Resource"], *list(statement["Resource"])), function


def test_no_function_may_do_everything_with_a_service(template: Template) -> None:
    for function, statement in all_statements(template):
        assert not [action for action in statement["Action"] if action.endswith(":*")], function


def test_no_function_may_scan_and_none_may_delete_but_outputs(template: Template) -> None:
    forbidden = {
        (function, action, json.dumps(statement["Resource"]))
        for function, statement in all_statements(template)
        for action in statement["Action"]
        if "Delete" in action or "Scan" in action
    }

    messages = [(f, json.dumps({"Fn::GetAtt": [f"{f}Queue", "Arn"]})) for f in ("Ingest", "Render")]
    assert forbidden == {
        *((function, "sqs:DeleteMessage", queue) for function, queue in messages),
        ("Sweep", "s3:DeleteObject", json.dumps({"Fn::Sub": "${OutputBucket.Arn}/sessions/*"})),
        # Whoever calls a composition off, or finds that somebody did, leaves nothing of it.
        *(
            (who, "s3:DeleteObject", json.dumps(COMPOSITIONS))
            for who in ("APIHandler", "ComposePlan", "Compose")
        ),
    }


def test_nothing_is_ever_written_to_the_recordings_bucket(template: Template) -> None:
    for function, statement in all_statements(template):
        if "RecordingsBucket" in json.dumps(statement["Resource"]):
            assert set(statement["Action"]) <= {"s3:GetObject", "s3:ListBucket"}, function


@pytest.mark.parametrize(
    ("secret", "readers"),
    [
        ("VideoSdkSecretName", {"APIHandler", "Settle", "Reconcile"}),
        ("WebhookTagSecret", {"APIHandler"}),
        ("AppTokenSecret", {"Authorize"}),
    ],
)
def test_a_secret_is_read_by_those_who_need_it(template: Template, secret: str, readers: set[str]) -> None:
    told = {
        function
        for function, statement in all_statements(template)
        if "secretsmanager:GetSecretValue" in statement["Action"]
        and secret in json.dumps(statement["Resource"])
    }

    assert told == readers


def test_who_gives_work_up_may_put_it_into_the_dead_letters(template: Template) -> None:
    senders = {
        function
        for function, statement in all_statements(template)
        if "sqs:SendMessage" in statement["Action"] and "DeadLetterQueue" in json.dumps(statement["Resource"])
    }

    assert senders == {"Ingest", "Render", "Settle"}


def test_each_function_logs_into_a_group_that_is_kept_for_a_while(template: Template) -> None:
    groups = of_type(template, "AWS::Logs::LogGroup")
    functions = of_type(template, "AWS::Serverless::Function")

    used = {name: told["Properties"]["LoggingConfig"]["LogGroup"]["Ref"] for name, told in functions.items()}

    assert set(used.values()) == set(groups)
    assert all(told["Properties"]["RetentionInDays"] for told in groups.values())
    for function, group in used.items():
        assert f"${{{group}.Arn}}" in json.dumps(statements(template, roles(template)[function]))


# --- functions --------------------------------------------------------------------------------------


def test_who_may_run_unwanted_is_looked_for_every_minute_and_the_rest_every_five(template: Template) -> None:
    rules = {
        name: {
            event["Properties"]["Schedule"]
            for event in template["Resources"][name]["Properties"]["Events"].values()
        }
        for name in ("Reconcile", "Sweep")
    }

    assert rules == {"Reconcile": {"rate(1 minute)", "rate(5 minutes)"}, "Sweep": {"rate(1 day)"}}
    assert "Hurry" in template["Resources"]["Reconcile"]["Properties"]["Events"]


def test_only_those_who_decode_carry_the_media_layer(template: Template) -> None:
    functions = of_type(template, "AWS::Serverless::Function")

    carriers = {name for name, told in functions.items() if told["Properties"].get("Layers")}

    assert carriers == {"Render", "Compose"}


def test_the_functions_run_on_arm(template: Template) -> None:
    functions = of_type(template, "AWS::Serverless::Function").values()

    assert all(told["Properties"]["Architectures"] == ["arm64"] for told in functions)
    assert all(told["Properties"]["Runtime"] == "python3.13" for told in functions)


def test_the_api_answers_before_api_gateway_gives_up(template: Template) -> None:
    assert template["Resources"]["APIHandler"]["Properties"]["Timeout"] < 29


@pytest.mark.parametrize(
    ("function", "queue"), [("Ingest", "IngestQueue"), ("Render", "RenderQueue")], ids=["ingest", "render"]
)
def test_a_message_is_not_seen_twice_while_it_is_worked_on(
    template: Template, function: str, queue: str
) -> None:
    timeout = template["Resources"][function]["Properties"]["Timeout"]

    assert template["Resources"][queue]["Properties"]["VisibilityTimeout"] >= 6 * timeout


@pytest.mark.parametrize("queue", ["IngestQueue", "RenderQueue"])
def test_what_nobody_could_give_up_with_a_reason_becomes_a_dead_letter(
    template: Template, queue: str
) -> None:
    # The third try gives up by itself; receptions that only met somebody else's lease are no tries.
    redrive = template["Resources"][queue]["Properties"]["RedrivePolicy"]

    assert 3 < redrive["maxReceiveCount"] <= 10
    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}


def test_the_ledgers_news_are_settled_from_the_first_on(template: Template) -> None:
    (source,) = template["Resources"]["Settle"]["Properties"]["Events"].values()
    told = source["Properties"]

    assert told["StartingPosition"] == "TRIM_HORIZON"
    assert told["BisectBatchOnFunctionError"]
    assert 0 < told["MaximumRetryAttempts"] < 100
    assert told["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}
    (pattern,) = told["FilterCriteria"]["Filters"]
    assert json.loads(pattern["Pattern"]) == {
        "eventName": ["INSERT"],
        "dynamodb": {"Keys": {"sk": {"S": [{"prefix": "event#"}]}}},
    }


# --- what is kept -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", ["Table", "OutputBucket"])
def test_what_was_recorded_outlives_the_stack(template: Template, kept: str) -> None:
    assert template["Resources"][kept]["DeletionPolicy"] == "Retain"
    assert template["Resources"][kept]["UpdateReplacePolicy"] == "Retain"


def test_the_table_can_be_turned_back_and_forgets_what_is_only_for_a_while(template: Template) -> None:
    told = template["Resources"]["Table"]["Properties"]

    assert told["BillingMode"] == "PAY_PER_REQUEST"
    assert told["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert told["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}


def test_the_output_bucket_is_private_encrypted_and_tidy(template: Template) -> None:
    told = template["Resources"]["OutputBucket"]["Properties"]

    assert set(told["PublicAccessBlockConfiguration"].values()) == {True}
    assert told["BucketEncryption"]
    (rule,) = told["LifecycleConfiguration"]["Rules"]
    assert 1 <= rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] <= 7


def test_a_page_may_read_parts_of_the_outputs_and_write_nothing(template: Template) -> None:
    [rule] = template["Resources"]["OutputBucket"]["Properties"]["CorsConfiguration"]["CorsRules"]

    assert set(rule["AllowedMethods"]) == {"GET", "HEAD"}
    assert "Range" in rule["AllowedHeaders"]
    assert {"Content-Range", "Content-Length"} <= set(rule["ExposedHeaders"])


def test_the_output_bucket_refuses_plain_http_unless_told_otherwise(template: Template) -> None:
    policy = template["Resources"]["OutputBucketPolicy"]
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]

    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert template["Parameters"]["RequireTls"]["Default"] == "true"


def test_no_secret_is_in_the_template(template: Template) -> None:
    for told in of_type(template, "AWS::SecretsManager::Secret").values():
        assert "SecretString" not in told["Properties"]
        assert told["Properties"]["GenerateSecretString"]["PasswordLength"] >= 32


@pytest.mark.parametrize("queue", ["IngestQueue", "DeadLetterQueue"])
def test_only_our_rule_and_our_bucket_may_send(template: Template, queue: str) -> None:
    policy = template["Resources"][f"{queue}Policy"]["Properties"]["PolicyDocument"]

    for statement in policy["Statement"]:
        assert statement["Action"] == "sqs:SendMessage"
        assert "aws:SourceArn" in statement["Condition"]["ArnEquals"]


# --- the door ---------------------------------------------------------------------------------------


def test_the_api_is_throttled_and_traced(template: Template) -> None:
    told = template["Resources"]["RestAPI"]["Properties"]

    assert told["TracingEnabled"]
    assert told["EndpointConfiguration"] == "REGIONAL"
    (settings,) = told["MethodSettings"]
    assert settings["ThrottlingRateLimit"] > 0
    assert settings["ThrottlingBurstLimit"] > 0


def test_what_api_gateway_answers_itself_has_the_shape_of_our_errors(template: Template) -> None:
    definition = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    answers = definition["x-amazon-apigateway-gateway-responses"]

    assert {"UNAUTHORIZED", "ACCESS_DENIED", "THROTTLED", "DEFAULT_4XX", "DEFAULT_5XX"} <= answers.keys()
    for answer in answers.values():
        error = json.loads(answer["responseTemplates"]["application/json"])["error"]
        assert error.keys() == {"code", "message", "field", "expected"}


# --- what is watched --------------------------------------------------------------------------------


def alarms(template: Template) -> set[tuple[str, str]]:
    told = (alarm["Properties"] for alarm in of_type(template, "AWS::CloudWatch::Alarm").values())
    dimensions = ((alarm["MetricName"], alarm.get("Dimensions", [])) for alarm in told)
    return {(name, json.dumps(found[0]["Value"])) for name, found in dimensions if found}


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_each_functions_errors_and_throttles_raise_an_alarm(
    template: Template, function: str, metric: str
) -> None:
    assert (metric, json.dumps({"Ref": function})) in alarms(template)


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("ApproximateNumberOfMessagesVisible", {"Fn::GetAtt": ["DeadLetterQueue", "QueueName"]}),
        ("ApproximateAgeOfOldestMessage", {"Fn::GetAtt": ["IngestQueue", "QueueName"]}),
        ("ApproximateAgeOfOldestMessage", {"Fn::GetAtt": ["RenderQueue", "QueueName"]}),
        ("IteratorAge", {"Ref": "Settle"}),
        ("5XXError", {"Fn::Sub": "tracklane-${Stage}"}),
    ],
)
def test_what_waits_or_breaks_raises_an_alarm(template: Template, metric: str, value: object) -> None:
    assert (metric, json.dumps(value)) in alarms(template)


@pytest.mark.parametrize("function", ["Settle", "Reconcile"])
def test_what_is_said_to_be_missing_raises_an_alarm_that_tells_what_to_do(
    template: Template, function: str, caplog: pytest.LogCaptureFixture
) -> None:
    group = template["Resources"][function]["Properties"]["LoggingConfig"]["LogGroup"]
    filters = [told["Properties"] for told in of_type(template, "AWS::Logs::MetricFilter").values()]
    [told] = [told for told in filters if told["LogGroupName"] == group]
    [metric] = told["MetricTransformations"]
    alarm = template["Resources"]["MissingAlarm"]["Properties"]

    world = MemoryWorld()
    recording_id = begun(world)
    webhook(world, recording_id, stopped(FILE))
    pass_by(world, 16 * 60_000)

    # CloudWatch finds a phrase in quotation marks wherever it stands in a line.
    phrase = told["FilterPattern"]
    assert (phrase[0], phrase[-1]) == ('"', '"')
    assert [phrase[1:-1] in record.getMessage() for record in caplog.records] == [True]
    assert (metric["MetricNamespace"], metric["MetricName"]) == (alarm["Namespace"], alarm["MetricName"])
    assert "storage configuration" in alarm["AlarmDescription"]


def test_the_metrics_of_the_api_are_found_under_its_name(template: Template) -> None:
    title = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["info"]["title"]

    assert title == {"Fn::Sub": "tracklane-${Stage}"}


def test_the_dashboard_is_well_formed(template: Template) -> None:
    body = json.loads(template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])

    assert all(widget["properties"]["metrics"] for widget in body["widgets"])


def test_the_settings_that_the_functions_read_are_the_ones_that_the_template_gives(
    template: Template,
) -> None:
    from chalicelib.config import DEFAULTS, REQUIRED

    assert template["Globals"]["Function"]["Environment"]["Variables"].keys() == {*REQUIRED, *DEFAULTS}
