"""Safety conditions taken out of the code by hand, one at a time, and the tests that must notice.

A row says which condition is lost, the text that stands in the file exactly once, what it becomes, and the
tests that are to fail: pytest's names, a file's first part standing for `test_`.
"""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One condition less. `tests` are pytest's names of those that must fail."""

    lost: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def stands(self) -> int:
        """How often the old text stands in the file: once, or the row has rotted."""
        path = ROOT / self.file
        return path.read_text("utf-8").count(self.old) if path.exists() else 0

    @property
    def unknown_tests(self) -> list[str]:
        """Those of its tests that are not there."""
        return [name for name in self.tests if not _is_there(*name.partition("::")[::2])]


def _is_there(file: str, test: str) -> bool:
    path = ROOT / file
    return path.exists() and (not test or f"def {test}(" in path.read_text("utf-8"))


type _Row = tuple[str, str, str, str]

_DYNAMODB: list[_Row] = [
    (
        "a fact is written once",
        "items.fact_item(subject, event), items.NEW)",
        'items.fact_item(subject, event), f"{items.NEW} OR attribute_exists(pk)")',
        "contracts/ledger::a_fact_is_news_once",
    ),
    (
        "facts are read consistently",
        "TableName=self.table, ConsistentRead=True, **_partition(subject)",
        "TableName=self.table, **_partition(subject)",
        "contracts/dynamodb::whatever_is_decided_upon_is_read_consistently",
    ),
    (
        "a query is read to its last page",
        'if not answer.get("LastEvaluatedKey"):',
        "if answer:",
        "contracts/ledger::more_than_a_page_of_facts_is_read_whole",
    ),
    (
        "a head never goes back",
        '_NEWER = f"{items.NEW} OR #known < :known"',
        '_NEWER = f"{items.NEW} OR #known < :known OR attribute_exists(pk)"',
        "contracts/catalog::a_recordings_head_never_goes_back",
    ),
    (
        "a head that knows no more is not written again",
        '_NEWER = f"{items.NEW} OR #known < :known"',
        '_NEWER = f"{items.NEW} OR #known <= :known"',
        "contracts/catalog::a_sessions_head_never_goes_back",
    ),
    (
        "a head is kept only when its link is",
        "            return self._keep(items.recording_item(head), head.known) or news\n",
        "            return news\n",
        "contracts/catalog::a_recordings_head_never_goes_back",
    ),
    (
        "our own slot, whose answer was lost, is no other's",
        '["holder"]["S"] != opening.recording_id',
        '["holder"]["S"]',
        "contracts/catalog::an_opening_whose_answer_was_lost_counts_as_done",
    ),
    (
        "our own claim, whose answer was lost, is no other's",
        "None if before == claim else before",
        "before",
        "contracts/catalog::an_opening_whose_answer_was_lost_counts_as_done",
    ),
    (
        "keys that DynamoDB leaves over are asked for again",
        'wanted = answer.get("UnprocessedKeys") or {}',
        "wanted = {}",
        "contracts/dynamodb::keys_that_dynamodb_leaves_over_are_asked_for_again",
    ),
    (
        "an index that lags behind does not open what is settled",
        "lambda head: not head.settled",
        "lambda _: True",
        "contracts/dynamodb::an_index_that_lags_behind_does_not_open_what_is_settled",
    ),
    (
        "a page reads a bounded lot",
        "or count == self.read_at_most",
        "",
        "contracts/dynamodb::a_filter_with_rare_matches_reads_a_bounded_lot",
    ),
    (
        "a cursor is one of ours",
        "not _SORT_KEY.fullmatch(sort_key) or ",
        "",
        "contracts/catalog::a_cursor_that_is_not_ours_is_refused",
    ),
]

_DYNAMODB_ITEMS: list[_Row] = [
    (
        "a free slot is taken once",
        "yield _put(slot, NEW)",
        'yield _put(slot, f"{NEW} OR attribute_exists(pk)")',
        "contracts/catalog::a_taken_slot_tells_its_holder",
    ),
    (
        "a slot is taken over from the holder that was seen to have ended",
        "OR holder = :over",
        "OR holder <> :over OR holder = :over",
        "contracts/catalog::a_holder_is_not_taken_over_in_anothers_name",
    ),
    (
        "an Idempotency-Key is claimed once",
        "OR #ttl < :now",
        "OR #ttl < :now OR attribute_exists(pk)",
        "contracts/catalog::a_claim_is_told_to_who_repeats_it",
    ),
    (
        "an expired claim is free before it is swept",
        ' OR #ttl < :now", values={":now": {"N": str(seconds)}}',
        ' OR #ttl < :now", values={":now": {"N": "0"}}',
        "contracts/catalog::an_expired_claim_is_free_again_before_it_is_swept",
    ),
    (
        "claims of different callers never meet",
        "json.dumps([claim.owner, claim.key])",
        "json.dumps([claim.key])",
        "contracts/catalog::another_owner_or_key_is_another_claim",
    ),
    (
        "conclusions are no news",
        'shelf = "made" if isinstance(event, CONCLUSIONS) else "event"',
        'shelf = "event"',
        "contracts/dynamodb::the_stream_can_tell_news_from_conclusions_by_the_sort_key",
    ),
    (
        "what is settled is not looked at for ever",
        "if not head.settled:",
        "if head:",
        "contracts/dynamodb::what_is_settled_is_no_longer_in_the_index_of_the_open",
    ),
]

_S3: list[_Row] = [
    (
        "a small file is never overwritten",
        'ContentType=self.content_type, IfNoneMatch="*")',
        "ContentType=self.content_type)",
        "contracts/buckets::a_conditional_request_protects_each_file",
    ),
    (
        "a large file is never overwritten",
        '            IfNoneMatch="*",\n',
        "",
        "contracts/buckets::a_conditional_request_protects_each_file",
    ),
    (
        "a failed upload is abandoned",
        "            self.abandon()\n            if _code(error)",
        "            if _code(error)",
        "contracts/buckets::what_lies_under_a_key_stays",
    ),
    (
        "a reading is pinned to the object that was meant",
        '{"IfMatch": etag} if etag else {}',
        "{}",
        "contracts/buckets::an_object_that_was_overwritten_is_not_the_one_that_was_meant",
    ),
    (
        "a bucket is listed to its last page",
        'if not answer.get("IsTruncated"):',
        "if answer:",
        "contracts/buckets::more_than_a_page_of_objects_is_listed",
    ),
    (
        "a file's name says no more in a header than a name",
        'r"[^A-Za-z0-9._-]"',
        'r"[^ -~]"',
        "contracts/presigned::no_name_says_more_in_a_header_than_a_name",
    ),
    (
        "a file that is to be saved is not shown",
        "if save_as is None else attachment(save_as)",
        "if key else attachment(save_as or key)",
        "contracts/presigned::a_file_is_saved_under_the_name_that_was_asked_for",
    ),
    (
        "an address is short-lived",
        "ExpiresIn=self.url_seconds",
        "ExpiresIn=604_800",
        "contracts/presigned::an_address_is_signed_and_short_lived",
    ),
]

_IDS: list[_Row] = [
    (
        "a link carries our keyed hash",
        "return (session_id, claimed) if proven else None",
        "return (session_id, claimed)",
        "core/share::another_key_another_session_and_another_share_have_another_proof",
    ),
    (
        "an address carries our keyed hash",
        "return claimed if _same(given[:_HASH], _keyed(key, claimed)) else None",
        "return claimed",
        "core/ids::a_token_with_one_character_altered_is_refused",
    ),
    (
        "an address is bound to its room, participant and kind",
        "return _same(given[_HASH:], _keyed(key, claimed, *told))",
        "return True",
        "core/ids::a_body_about_another_recording_does_not_agree",
    ),
    (
        "half an address is none",
        " or len(given) != 2 * _HASH",
        "",
        "core/ids::half_a_token_leads_nowhere",
    ),
    (
        "a key lies under our prefix",
        "if parts[: len(prefix)] != prefix:",
        "if not parts:",
        "core/ids::a_key_that_names_no_segment_is_refused",
    ),
    (
        "a key does not climb",
        ' or ".." in rest',
        "",
        "core/ids::a_key_that_names_no_segment_is_refused",
    ),
    (
        "a key can be written in UTF-8",
        " and _is_text(key)",
        "",
        "core/ids::a_key_that_names_no_segment_is_refused",
    ),
    (
        "no name reaches an output key as it is",
        "if _PLAIN_PART.fullmatch(text):",
        "if text:",
        "core/ids::an_artifact_lies_below_its_session_whatever_the_names",
    ),
    (
        "an id is an id to its last character",
        "_EXTERNAL_ID.fullmatch(text)",
        "_EXTERNAL_ID.match(text)",
        "core/ids::what_can_be_no_id_is_refused_by_its_field",
    ),
    (
        "a recording's id has our form",
        "isinstance(text, str) and is_recording_id(text)",
        "isinstance(text, str)",
        "core/ids::what_we_never_minted_is_refused",
    ),
    (
        "an overwritten object is another input",
        "(bucket, key, etag.strip('\"'), recipe)",
        "(bucket, key, recipe)",
        "core/ids::other_input_other_artifact",
    ),
]

_EVENTS: list[_Row] = [
    (
        "a value of an identity forges no other",
        "if _PLAIN.fullmatch(text):",
        "if text:",
        "core/events::no_separator_and_no_hash_of_a_long_value_can_be_forged",
    ),
    (
        "an end with other files is news",
        'SAME_IF = ("session_id", "files")',
        'SAME_IF = ("session_id",)',
        "flows/receive::an_end_with_other_files_is_news",
    ),
    (
        "an early list does not hide the last one",
        'SAME_IF = ("listed_id", "session_id", "files", "early")',
        'SAME_IF = ("listed_id", "session_id")',
        "flows/settle::a_list_that_was_read_early_is_read_again_and_settles_nothing_alone",
    ),
]

_RECEIVE: list[_Row] = [
    (
        "a delivery has a largest size",
        "if len(body) > BODY_AT_MOST:",
        "if not world:",
        "flows/receive::a_body_of_the_largest_size_is_heard_and_a_larger_one_is_not",
    ),
    (
        "an address that we never gave is not heard",
        "    if recording_id is None:\n        raise NotFound",
        "    if not token:\n        raise NotFound",
        "flows/receive::a_wrong_address_costs_no_read_and_no_write",
    ),
    (
        "a genuine delivery counts at its own address alone",
        "return unsaid or ids.token_agrees(tag_key, token, heard.about)",
        "return True",
        "flows/receive::a_genuine_delivery_at_anothers_address_changes_nothing",
    ),
    (
        "odd news about another recording is not kept here",
        "unsaid = isinstance(heard.fact, OddHeard) and not all(heard.about)",
        "unsaid = isinstance(heard.fact, OddHeard)",
        "routes/webhooks::what_is_odd_and_says_that_it_is_about_another_recording_is_refused",
    ),
    (
        "the end of an earlier recording is not this one's",
        "return not named or recording_id in named",
        "return True",
        "reliability/replay::the_end_of_one_recording_is_not_the_end_of_the_next",
    ),
    (
        "news of a recording needs the recording's address",
        "_unaddressed(heard) if heard.of_recording else heard.fact",
        "heard.fact",
        "flows/receive::news_of_a_recording_without_its_address_is_kept_as_odd",
    ),
]

_SHARE: list[_Row] = [
    (
        "a link that was taken back opens nothing",
        "return self.revoked_at is None and now < self.expires_at",
        "return now < self.expires_at",
        "flows/share::a_link_that_was_taken_back_opens_nothing_and_the_others_still_do",
    ),
    (
        "a link that is over opens nothing",
        "self.revoked_at is None and now < self.expires_at",
        "self.revoked_at is None",
        "flows/share::a_link_opens_nothing_once_it_is_over",
    ),
    (
        "who has a link sees no recording",
        'frozenset({"recordings", "recordingId", "source"})',
        'frozenset({"recordings", "source"})',
        "core/share::who_has_a_link_sees_no_recording_no_raw_key_and_nothing_that_went_wrong_inside",
    ),
]

_FLOW_SHARE: list[_Row] = [
    (
        "a link opens only what was shared",
        "if found is None or not found.opens(world.now()):",
        "if found is not None and not found.opens(world.now()):",
        "flows/share::a_good_proof_of_a_share_that_nobody_made_opens_nothing",
    ),
    (
        "a link gives addresses of what it shows alone",
        "refuse(key for key in keys if key not in shown)",
        "refuse(())",
        "flows/share::a_link_gives_no_address_of_anything_that_it_does_not_show",
    ),
]

_REVIEW: list[_Row] = [
    (
        "addresses are given for the session's own files alone",
        "refuse(key for key in keys if not ids.is_output_of(key, session_id))",
        "refuse(())",
        "flows/review::addresses_are_given_for_what_lies_below_the_session_and_nothing_is_read",
    ),
    (
        "the last manifest tells of a session's files only where it has all of them",
        "return names if names.keys() >= set(keys) else",
        "return names if names else",
        "flows/review::what_came_after_the_last_manifest_has_its_name_too",
    ),
]

_NAMING: list[_Row] = [
    (
        "no two files of a session are saved under one name",
        "while told in taken:",
        "while not told:",
        "core/naming::all_files_of_a_session_fit_into_one_folder",
    ),
    (
        "people of one name are told apart",
        "name if bearers[name] == 1 else",
        "name if bearers[name] else",
        "core/naming::people_of_one_name_are_told_apart_in_all_their_files",
    ),
    (
        "a name leads nowhere and hides nothing",
        "if category(sign)[0] in _KEPT else",
        "if category(sign)[0] else",
        "core/naming::a_name_hides_and_ends_nothing",
    ),
]

_HTTP: list[_Row] = [
    (
        "a request's body has a largest size",
        "if len(body) > most:",
        "if body is None:",
        "routes/bad_input::a_body_that_is_not_what_it_should_be",
    ),
    (
        "a body is not nested deep",
        "if _depth(text) > DEPTH_AT_MOST:",
        "if not text:",
        "routes/bad_input::a_body_that_is_not_what_it_should_be",
    ),
    (
        "a body names a field once",
        "if len(told) != len(pairs):",
        "if told and not pairs:",
        "routes/bad_input::a_body_that_is_not_what_it_should_be",
    ),
    (
        "a body holds only numbers that JSON has",
        'raise ValueError(f"{name} is no JSON")',
        "return None",
        "routes/bad_input::a_body_that_is_not_what_it_should_be",
    ),
    (
        "unknown fields are refused",
        "for name in told.keys() - allowed:",
        "for name in told.keys() - allowed - told.keys():",
        "routes/bad_input::a_body_that_says_the_wrong_thing",
    ),
    (
        "a parameter is given once",
        "if len(values) != 1:",
        "if not values:",
        "routes/bad_input::a_query_that_is_none",
    ),
    (
        "a page has a largest size",
        "1 <= int(given) <= most",
        "1 <= int(given)",
        "routes/bad_input::a_query_that_is_none",
    ),
]

_RECORDINGS: list[_Row] = [
    (
        "the webhook's address is ours to set",
        '_TRACK = frozenset({"roomId",',
        '_TRACK = frozenset({"webhookUrl", "roomId",',
        "routes/bad_input::a_body_that_says_the_wrong_thing",
    ),
    (
        "who starts a recording proves who calls",
        '@bp.route("/recordings/start", methods=["POST"], authorizer=authorize,',
        '@bp.route("/recordings/start", methods=["POST"],',
        "routes/authorizer::every_door_but_the_open_ones_asks_who_calls",
    ),
]

_WEBHOOKS: list[_Row] = [
    (
        "two signatures are none",
        'return ",".join(told) if told else request.headers.get(SIGNATURE)',
        "return request.headers.get(SIGNATURE)",
        "routes/webhooks::of_two_signatures_none_counts",
    ),
    (
        "the bytes are verified as they came",
        "    return http.raw_body(request)\n",
        '    return __import__("json").dumps(request.json_body).encode()\n',
        "routes/webhooks::the_bytes_are_verified_as_they_came",
    ),
]

_CALLERS: list[_Row] = [
    (
        "a token ends",
        '_REQUIRED = ["exp", ',
        "_REQUIRED = [",
        "adapters/callers::a_token_that_is_not_good_is_refused",
    ),
    (
        "a token is for us",
        '{"require": _REQUIRED}',
        '{"require": _REQUIRED, "verify_aud": False}',
        "adapters/callers::a_token_that_is_not_good_is_refused",
    ),
    (
        "a token is signed",
        '{"require": _REQUIRED}',
        '{"require": _REQUIRED, "verify_signature": False, "verify_exp": True, "verify_aud": True}',
        "adapters/callers::a_token_that_is_not_good_is_refused",
    ),
    (
        "one algorithm is taken",
        "algorithms=[ALGORITHM]",
        'algorithms=[ALGORITHM, "HS384", "HS512"]',
        "adapters/callers::a_token_that_is_not_good_is_refused",
    ),
    (
        "clocks are a moment apart at most",
        "leeway=LEEWAY_S",
        "leeway=86_400",
        "adapters/callers::a_token_that_is_not_good_is_refused",
    ),
    (
        "a caller has a name that people can read",
        " or not subject.isprintable()",
        "",
        "routes/authorizer::a_bad_token_is_unauthorized_and_nothing_else",
    ),
]

_SIGNATURE: list[_Row] = [
    (
        "one spelling of a signature counts",
        " or base64.b64encode(told).decode() != signature",
        "",
        "adapters/videosdk_signature::of_all_spellings_of_a_signature_one_counts",
    ),
    (
        "a signature has an RSA signature's length",
        "not 256 <= len(told) <= 1024 or ",
        "",
        "adapters/videosdk_signature::malformed_signatures_are_turned_away_without_a_key",
    ),
    (
        "the key is RSA's",
        "not isinstance(key, RSAPublicKey) or ",
        "",
        "adapters/videosdk_signature::an_answer_without_a_key_to_trust_is_no_key",
    ),
    (
        "the key is long enough",
        "2048 <= key.key_size",
        "512 <= key.key_size",
        "adapters/videosdk_signature::an_answer_without_a_key_to_trust_is_no_key",
    ),
    (
        "the key's exponent is 65537",
        "return key if key.public_numbers().e == 65537 else None",
        "return key",
        "adapters/videosdk_signature::an_answer_without_a_key_to_trust_is_no_key",
    ),
    (
        "bad signatures can not make us ask for the key",
        "if not _within(self._now() - self._asked_at, self._cooldown_ms()):",
        "if self._cooldown_ms():",
        "adapters/videosdk_signature::bad_signatures_can_not_make_us_ask_more_than_twice_a_minute",
    ),
    (
        "the key is asked for when it is too old",
        "if not _within(self._now() - self._fresh_at, TTL_MS):",
        "if not keys:",
        "adapters/videosdk_signature::the_key_is_asked_for_when_it_is_too_old",
    ),
    (
        "a clock that is set back makes nothing young",
        "return 0 <= elapsed < most",
        "return elapsed < most",
        "adapters/videosdk_signature::a_clock_that_is_set_back_does_not_keep_us_from_asking",
    ),
    (
        "an answer of nonsense does not push out the key",
        "if key is not None:",
        "if self._asked_at:",
        "adapters/videosdk_signature::an_answer_of_nonsense_does_not_push_out_the_key",
    ),
    (
        "while the key changes both are believed",
        "(key, *self._keys[:1])",
        "(key,)",
        "adapters/videosdk_signature::while_the_key_changes_both_are_believed_but_not_for_ever",
    ),
    (
        "an old key is not believed for ever",
        "            self._keys = self._keys[:1]\n",
        "            self._keys = self._keys\n",
        "adapters/videosdk_signature::while_the_key_changes_both_are_believed_but_not_for_ever",
    ),
]

_POST: list[_Row] = [
    (
        "an unbelieved body is never read",
        "        self.signature.verify(body, signature)\n        news = parse(body)\n",
        "        news = parse(body)\n        self.signature.verify(body, signature)\n",
        "adapters/videosdk_signature::an_unbelieved_body_is_never_read",
    ),
    (
        "a delivery is verified",
        "        self.signature.verify(body, signature)\n",
        "",
        "routes/webhooks::a_bad_signature_leaves_no_trace",
    ),
]

_NEWS: list[_Row] = [
    (
        "a signed body names a field once",
        "if len(told) != len(pairs):",
        "if told and not pairs:",
        "adapters/videosdk_news::what_can_not_be_understood_is_kept_and_the_reason_told",
    ),
    (
        "a signed body holds only numbers that JSON has",
        "    raise _NoNumberError\n",
        "    return None\n",
        "adapters/videosdk_news::what_can_not_be_understood_is_kept_and_the_reason_told",
    ),
    (
        "a signed body is not nested deep",
        "if depth > DEPTH:",
        "if not body:",
        "adapters/videosdk_news::what_can_not_be_understood_is_kept_and_the_reason_told",
    ),
    (
        "a signed body holds whole characters",
        'if b"\\\\u" in body and _unwritable(told):',
        "if not body:",
        "adapters/videosdk_news::what_can_not_be_understood_is_kept_and_the_reason_told",
    ),
    (
        "a kind is one of four",
        "if not isinstance(told, str) or told not in KINDS:",
        "if not isinstance(told, str):",
        "adapters/videosdk_news::what_can_not_be_understood_is_kept_and_the_reason_told",
    ),
]

_WIRE: list[_Row] = [
    (
        "no redirect is followed",
        "allow_redirects=False",
        "allow_redirects=True",
        "adapters/videosdk_signature::a_redirect_to_another_key_is_not_followed",
    ),
    (
        "an answer has a largest size",
        "if len(body) > cap:",
        "if body is None:",
        "adapters/videosdk_api::a_question_that_is_not_answered_says_so",
    ),
    (
        "VideoSDK is asked over https",
        'if not parts.hostname or extras or not (here or parts.scheme == "https"):',
        "if not parts.hostname or extras:",
        "adapters/videosdk_api::only_https_or_this_machine_is_spoken_to",
    ),
    (
        "an answer that drips is given up",
        "self._until = monotonic() + ",
        "self._until = 1e9 + ",
        "adapters/videosdk_signature::a_key_that_drips_is_given_up",
    ),
    (
        "the environment has no say",
        "self._session.trust_env = False",
        "self._session.trust_env = True",
        "adapters/videosdk_api::cookies_are_not_kept_and_the_environment_has_no_say",
    ),
]

_API: list[_Row] = [
    (
        "a command whose answer was lost is not sent again",
        "COMMAND: Mapping[Hurdle, Again] = {\n",
        'COMMAND: Mapping[Hurdle, Again] = {\n    "lost": Again(1, 0.1),\n',
        "adapters/videosdk_api::a_command_is_sent_once_and_its_answer_means",
    ),
    (
        "a wait that VideoSDK asks for is bounded",
        "began + wait > most or",
        "began + wait > 1e9 or",
        "adapters/videosdk_api::a_vendor_that_wants_an_hour_is_left_alone",
    ),
    (
        "a token that is not taken is tried once more only",
        '    "unauthorized": Again(1, 0.0),\n    "rate_limited": Again(3, 0.5),\n    "early"',
        '    "unauthorized": Again(9, 0.0),\n    "rate_limited": Again(3, 0.5),\n    "early"',
        "adapters/videosdk_api::credentials_that_are_wrong_are_tried_twice",
    ),
    (
        "nobody waits longer than the invocation lasts",
        " or not self._time_for(wait):",
        ":",
        "adapters/videosdk_api::nobody_waits_longer_than_there_is_time",
    ),
    (
        "a list of endless pages is given up",
        "if left_s <= 0 or",
        "if left_s <= -1e9 or",
        "adapters/videosdk_api::a_list_whose_pages_never_end_is_given_up",
    ),
]

_ANSWERS: list[_Row] = [
    (
        "a 5xx proves nothing",
        "case Answer(status) if 400 <= status < 500:",
        "case Answer(status) if 400 <= status < 600:",
        "adapters/videosdk_api::a_command_is_sent_once_and_its_answer_means",
    ),
    (
        "an answer that was lost proves nothing",
        "return Unconfirmed(reason)",
        'return Declined("videosdk_unreachable", reason)',
        "adapters/videosdk_api::a_command_is_sent_once_and_not_waited_for_beyond_its_time",
    ),
    (
        "a yes that can not be read proves nothing",
        "if not _readable(answer.body):",
        "if answer.broken:",
        "adapters/videosdk_api::a_command_is_sent_once_and_its_answer_means",
    ),
    (
        "`already` may be our own start",
        "re.IGNORECASE), None)",
        're.IGNORECASE), "videosdk_refused")',
        "adapters/videosdk_api::a_command_is_sent_once_and_its_answer_means",
    ),
    (
        "a token that VideoSDK quotes is not passed on",
        're.sub(r"eyJ[\\w-]*\\.?[\\w-]*\\.?[\\w-]*", "[token]", told)',
        "told",
        "adapters/videosdk_api::a_token_that_the_vendor_quotes_is_not_passed_on",
    ),
]

_SECRETS: list[_Row] = [
    (
        "a secret that nobody takes is not read all the time",
        "self._now() - kept.asked_at >= COOLDOWN_MS",
        "kept.asked_at",
        "adapters/secrets::a_secret_that_nobody_takes_is_read_anew_though_not_all_the_time",
    ),
    (
        "a secret that can not be read serves on",
        "            if kept is not None:\n                return _Kept(kept.value",
        "            if kept is not None and not now:\n                return _Kept(kept.value",
        "adapters/secrets::the_last_known_value_serves_while_none_can_be_read",
    ),
]

_RECORD: list[_Row] = [
    (
        "the outcome of a start is written before the answer",
        "    fact = _start_fact(outcome, world.now())\n"
        "    world.ledger.append(subject_of(opening.recording_id), fact)\n",
        "    fact = _start_fact(outcome, world.now())\n",
        "flows/record::the_intent_is_written_before_and_the_outcome_after_the_call",
    ),
    (
        "an intent to stop is written before the call",
        "    world.ledger.append(subject, intent)\n"
        "    outcome = world.recorder.stop(asked.room_id, asked.participant_id, asked.kind)\n",
        "    outcome = world.recorder.stop(asked.room_id, asked.participant_id, asked.kind)\n"
        "    world.ledger.append(subject, intent)\n",
        "flows/record::a_stops_intent_is_written_before_the_call",
    ),
    (
        "a stop never reaches the recording that came after",
        " or not is_alone(world, asked, recording_id):",
        ":",
        "flows/record::a_stop_never_reaches_the_recording_that_came_after",
    ),
    (
        "an unknown outcome of a start is no refusal",
        "return e.StartUnconfirmed(at=at, reason=reason)",
        'return e.StartRefused(at=at, code="videosdk_refused", message=reason)',
        "flows/record::each_outcome_of_a_start_is_a_fact_and_an_answer",
    ),
    (
        "a key stands for one body",
        "if once is None or claim.body_digest != once.body_digest:",
        "if once is None:",
        "flows/record::the_same_key_with_another_body_is_refused",
    ),
    (
        "a slot that runs is not taken over",
        "return Opening(item.recording_id, item.requested, over=holder) if _is_over(before) else before",
        "return Opening(item.recording_id, item.requested, over=holder)",
        "flows/record::a_slot_that_videosdk_says_is_running_stays_as_it_is",
    ),
    (
        "a stop that may not have worked is sent again",
        "if recording.ended or recording.knows(e.StopAccepted) or",
        "if recording.ended or recording.knows(e.StopAccepted, e.StopUnconfirmed) or",
        "flows/record::a_stop_that_may_not_have_worked_can_be_asked_for_again",
    ),
]

_RECONCILE: list[_Row] = [
    (
        "news has time to come before a start is compensated",
        "return since is not None and now - since >= NEWS_TAKES_MS",
        "return since is not None",
        "flows/reconcile::a_start_that_nobody_confirms_is_stopped",
    ),
    (
        "a compensation never stops a later recording",
        "if not is_alone(world, asked, recording.recording_id):",
        "if not asked:",
        "flows/reconcile::a_late_life_does_not_stop_the_recording_that_came_after_it",
    ),
    (
        "what nobody confirmed is stopped",
        "    if _unheard_of(recording):\n        return recording.requested.at",
        "    if not recording.facts:\n        return recording.requested.at",
        "flows/reconcile::a_start_that_nobody_confirms_is_stopped",
    ),
    (
        "a grace period passes before anything is given up",
        "if since is None or now - since < grace_ms or",
        "if since is None or",
        "flows/reconcile::what_does_not_come_within_the_grace_period_is_given_up",
    ),
    (
        "an end that was confirmed is not overdue",
        "if not recording.confirmed and (asked or",
        "if recording and (asked or",
        "flows/reconcile::of_an_end_that_the_list_confirmed_only_the_files_are_overdue",
    ),
    (
        "a list that could not be asked has denied nothing",
        "(asked or now - since >= LONGEST_MS)",
        "(asked or now)",
        "flows/reconcile::an_end_is_not_given_up_while_the_list_can_not_be_asked",
    ),
    (
        "objects are found however VideoSDK joins the path",
        "for lead in LEADS",
        'for lead in ("",)',
        "flows/reconcile::objects_are_found_however_videosdk_joins_the_path",
    ),
    (
        "one that can not be looked at keeps no other waiting",
        "            faults.append(fault)\n",
        "            raise\n",
        "flows/reconcile::one_that_can_not_be_looked_at_does_not_keep_the_others_waiting",
    ),
    (
        "a run that could not look at all of them says so",
        "    if faults:\n        raise",
        "    if faults and not looked_at:\n        raise",
        "flows/reconcile::one_that_can_not_be_looked_at_does_not_keep_the_others_waiting",
    ),
    (
        "a run ends when its time is up",
        "if not more_time():\n            break\n",
        "if not more_time:\n            break\n",
        "flows/reconcile::it_stops_when_its_time_is_up",
    ),
    (
        "the next run goes on where the last one ended",
        "        world.catalog.keep_bookmark(turn.walk, upto)\n",
        "        began = upto\n",
        "flows/reconcile::more_than_one_round_can_look_at_are_looked_at_by_turns",
    ),
    (
        "an answered life is not stopped again",
        "    if alive <= answered:\n        return None\n",
        "",
        "flows/reconcile::a_stop_that_was_accepted_or_not_needed_is_not_sent_again",
    ),
    (
        "what was given up waits for a redrive",
        " | {(fact.key, fact.etag) for fact in given_up}",
        "",
        "flows/reconcile::a_file_that_was_given_up_is_not_queued_again_unless_it_is_redriven",
    ),
    (
        "a message that was lost is queued again",
        "late = world.now() - STEP_MS",
        "late = -STEP_MS",
        "flows/products::a_lost_message_is_queued_again_after_a_while_and_not_before",
    ),
]

_RECORDING: list[_Row] = [
    (
        "an early list alone confirms nothing",
        "return any(not end.early for end in ends) or (bool(ends) and self.knows(e.RecordingStopped))",
        "return bool(ends)",
        "core/recording::the_verdict_is_what_the_facts_prove",
    ),
    (
        "announced files are awaited",
        "return self.expected - self.delivered.keys() - self.given_up.keys() - overdue",
        "return frozenset()",
        "core/recording::the_verdict_is_what_the_facts_prove",
    ),
    (
        "a lost tail is told",
        "elif fact.tail_lost:",
        "elif not fact.file:",
        "core/recording::the_verdict_is_what_the_facts_prove",
    ),
    (
        "damage is told",
        "elif fact.lost_bytes:",
        "elif not fact.file:",
        "core/recording::the_verdict_is_what_the_facts_prove",
    ),
    (
        "what nobody proved is told",
        "return self.knows(e.EndOverdue) and not told",
        "return False",
        "core/recording::the_verdict_is_what_the_facts_prove",
    ),
    (
        "what ran was not refused",
        "return self.knows(e.StartRefused) and not self.knows(*RAN)",
        "return self.knows(e.StartRefused)",
        "core/recording::the_phase_is_what_the_facts_say",
    ),
    (
        "a delivery of another's track is told",
        "if self.requested and (fact.participant_id, fact.kind) != (self.participant_id, self.kind):",
        "if not fact.file:",
        "core/recording::the_verdict_is_what_the_facts_prove",
    ),
]

_SETTLE: list[_Row] = [
    (
        "it rings before it notes that it rang",
        "        world.bell.ready(_ready(session, key, left))\n"
        "        world.ledger.append(session_subject(session.session_id), made)\n",
        "        world.ledger.append(session_subject(session.session_id), made)\n"
        "        world.bell.ready(_ready(session, key, left))\n",
        "flows/settle::a_settler_killed_anywhere_is_made_good_by_its_retry",
    ),
    (
        "it rings once for each manifest",
        "if not any(fact.identity == made.identity for fact in session.facts):",
        "if session.facts is not None:",
        "flows/settle::a_manifest_that_was_noted_does_not_ring_again",
    ),
    (
        "the manifest waits for every recording",
        "    if head.settled or any(isinstance(fact, e.FinishRequested) for fact in facts):",
        "    if linked:",
        "flows/settle::the_manifest_waits_for_every_recording",
    ),
    (
        "a head claims no news that came while the manifest was written",
        "        head = replace(head, manifest_key=key, known=head.known + weight(stays))\n",
        "        linked = world.catalog.of_session(head.session_id)\n"
        "        head = session_head(head.session_id, linked, weight(facts), key)\n",
        "flows/settle::news_that_comes_while_a_manifest_is_written_is_in_the_next",
    ),
    (
        "the list is believed only about the recording itself",
        "close = [item for item in items if first <= item.start_at <= last]",
        "close = items",
        "flows/settle::the_list_is_believed_only_about_the_recording_itself",
    ),
    (
        "a path that names a recording decides",
        "return named or _nearest(",
        "return _nearest(",
        "flows/settle::the_list_is_believed_only_about_the_recording_itself",
    ),
    (
        "a silent list holds nothing up",
        "silence)\n        return None",
        "silence)\n        raise",
        "flows/settle::a_list_that_can_not_be_asked_holds_nothing_else_up",
    ),
    (
        "a step is queued once",
        "if again or step.target not in before.targets]",
        "if step.target]",
        "flows/products::each_step_is_queued_once_however_often_its_session_is_looked_at",
    ),
    (
        "a request is answered once",
        "if session.verdict.settled or _asked(session) > before.asked:",
        "if session:",
        "flows/products::a_request_is_answered_once_while_the_session_goes_on",
    ),
    (
        "a large order does not go through the queue",
        "if len(whole) <= SMALL:",
        "if whole:",
        "flows/products::a_large_order_lies_in_the_bucket_and_its_message_names_it",
    ),
]

_INGEST: list[_Row] = [
    (
        "another bucket is never read",
        "if appeared.bucket != world.settings.recordings_bucket:",
        "if not appeared.bucket:",
        "flows/ingest::another_bucket_is_never_read",
    ),
    (
        "what is no recording leaves no output",
        "    except NotRecording as unreadable:\n        writing.abandon()\n",
        "    except NotRecording as unreadable:\n",
        "flows/ingest::what_turns_out_to_be_no_recording_leaves_no_output",
    ),
    (
        "what breaks off leaves no output",
        "    except BaseException:\n        writing.abandon()\n",
        "    except BaseException:\n",
        "flows/ingest::a_reading_that_breaks_off_leaves_no_output",
    ),
    (
        "the products are asked for before the fact is written",
        "    world.work.make(Order.of(step, [(where.recording_id, fact)]).told()"
        " for step in posters([fact]))\n    return fact",
        "    return fact",
        "flows/ingest::killed_anywhere_the_retry_gives_the_same_file_and_every_step",
    ),
    (
        "a segment's lease is renewed while its bytes go by",
        "world.media.repair(hold.kept(reading), writing)",
        "world.media.repair(reading, writing)",
        "flows/work::a_long_file_is_kept_while_its_bytes_go_by",
    ),
    (
        "a segment has its index before it has its fact",
        '    world.shelf.put(ids.index_key(hold.target), repaired.index, "application/json")\n',
        "",
        "flows/ingest::the_sidecar_index_lies_beside_the_copy",
    ),
]

_FLOW_WORK: list[_Row] = [
    (
        "a lease that was lost is no failed try",
        "    except LeaseLost:\n        raise\n",
        "",
        "flows/work::who_was_away_while_another_failed_commits_nothing_either",
    ),
    (
        "work whose output was swept away is made under another key",
        "            number += 1\n",
        "            raise\n",
        "flows/work::after_its_orphan_was_swept_away_a_file_has_another_key",
    ),
    (
        "work that is given up is a fact",
        "    world.ledger.append(job.subject, WorkGivenUp(at=world.now(), **job.about, **told))\n",
        "",
        "flows/work::what_always_fails_is_given_up_with_its_last_reason",
    ),
    (
        "who fails gives the work back at once",
        "        world.leases.fail(lease, reason)\n",
        "        str(lease)\n",
        "flows/work::what_always_fails_is_given_up_with_its_last_reason",
    ),
    (
        "a lease is renewed in time",
        "if now >= self.lease.until - LEASE_MS + KEEP_MS:",
        "if now >= self.lease.until + LEASE_MS:",
        "flows/work::a_long_file_is_kept_while_its_bytes_go_by",
    ),
]

_DYNAMODB_WORK: list[_Row] = [
    (
        "only the last lease's holder commits",
        '_MINE = "epoch = :epoch AND',
        '_MINE = "epoch >= :epoch AND',
        "contracts/work::a_zombie_commits_nothing",
    ),
    (
        "work is committed once",
        "epoch = :epoch AND attribute_not_exists(done) AND",
        "epoch = :epoch AND",
        "contracts/work::who_committed_can_not_fail_and_hears_the_same_again",
    ),
    (
        "nobody commits what was swept away",
        ' AND attribute_not_exists(collected)"\n',
        '"\n',
        "contracts/work::a_zombie_commits_nothing",
    ),
    (
        "a lease that runs is nobody else's",
        '_FREE = "attribute_not_exists(done) AND #until <= :now"',
        '_FREE = "attribute_not_exists(done) AND #until <> :now"',
        "contracts/work::who_comes_second_hears_how_long_to_wait",
    ),
    (
        "what is done is not done again",
        '_FREE = "attribute_not_exists(done) AND #until <= :now"',
        '_FREE = "(attribute_exists(done) OR #until <= :now)"',
        "contracts/work::who_committed_can_not_fail_and_hears_the_same_again",
    ),
    (
        "tries are counted when they begin",
        "tries = if_not_exists(tries, :none) + :one, ",
        "tries = if_not_exists(tries, :one), ",
        "contracts/work::a_try_whose_worker_was_killed_counts",
    ),
    (
        "there are three tries",
        " AND tries < allowed)",
        ")",
        "contracts/work::after_three_tries_it_is_spent_and_says_why",
    ),
    (
        "what was swept away is not begun again under its key",
        "({_FREE} AND attribute_not_exists(collected) AND",
        "({_FREE} AND",
        "contracts/work::what_was_left_behind_may_be_deleted_and_is_never_committed",
    ),
    (
        "a lease whose answer was lost is ours",
        'if was_done or item.get("mark") == {"S": mark}:',
        "if was_done:",
        "contracts/work::who_did_not_hear_that_it_took_the_work_has_it",
    ),
    (
        "a commit whose answer was lost was ours",
        'if "done" in met and met["epoch"] == {"N": str(lease.epoch)}:',
        "if not met:",
        "contracts/work::who_did_not_hear_that_it_committed_did",
    ),
    (
        "somebody else's commit is not ours",
        'if "done" in met and met["epoch"] == {"N": str(lease.epoch)}:',
        'if "done" in met:',
        "contracts/work::a_zombie_commits_nothing",
    ),
    (
        "only what was leased is swept away",
        'found = f"attribute_exists(pk) AND {_FREE}"',
        'found = f"attribute_not_exists(pk) OR {_FREE}"',
        "contracts/work::what_is_ours_or_somebodys_is_not_deleted",
    ),
    (
        "a redrive that is repeated allows no more",
        "SET allowed = tries + :more",
        "SET allowed = allowed + :more",
        "contracts/work::who_did_not_hear_what_it_redrove_allows_three_tries_and_no_more",
    ),
    (
        "a fact that was there keeps no other from being told",
        "puts = [put for put, reason in zip(puts, reasons, strict=False) if not failed(reason)]",
        "puts = []",
        "contracts/work::facts_that_were_there_stay_and_hinder_no_other",
    ),
]

_SWEEP: list[_Row] = [
    (
        "what may be on its way is not swept away",
        "old = [thing for thing in piece if now - thing.modified_at in ORPHANED_MS]",
        "old = piece",
        "flows/sweep::an_orphan_is_deleted_between_its_first_day_and_its_tenth",
    ),
    (
        "what can still be committed is not deleted",
        "not world.leases.unfinished(target) or not world.leases.collect(target, now):",
        "not world.leases.unfinished(target) or world.leases.collect(target, now) is None:",
        "flows/sweep::who_commits_while_it_is_swept_keeps_what_they_committed",
    ),
    (
        "a walk goes on where it ended",
        '            world.catalog.keep_bookmark(f"sweep {walk.name}", walk.upto)\n',
        "            walk.began = walk.upto\n",
        "flows/sweep::both_walks_go_on_where_they_ended",
    ),
    (
        "all files of a step are swept as one",
        "        return step[1]\n",
        "        return key\n",
        "flows/sweep::all_files_of_a_step_that_nobody_committed_go_and_its_plan_stays",
    ),
    (
        "an index is swept with its file",
        '        return f"{index[1]}/repaired-{index[2]}.webm"\n',
        "        return key\n",
        "flows/sweep::each_file_belongs_to_the_work_that_made_it",
    ),
]

_BATCH: list[_Row] = [
    (
        "a message that failed comes back",
        '                failed.append(record.to_dict()["messageId"])\n',
        "",
        "routes/batch::a_message_that_fails_takes_no_other_with_it",
    ),
    (
        "a message that fails takes no other with it",
        "        except Exception as fault:\n            _tell",
        "        except KeyboardInterrupt as fault:\n            _tell",
        "routes/batch::a_message_that_fails_takes_no_other_with_it",
    ),
    (
        "a message is received so often at most",
        "received >= (RECEIVED_AT_MOST if again else TRIES)",
        "received < 0",
        "routes/batch::what_need_not_be_tried_again_is_buried_with_the_reason",
    ),
    (
        "a dead letter that could not be sent is not lost",
        "        return False\n    return True\n",
        "        return True\n    return True\n",
        "routes/batch::what_can_not_be_buried_stays_for_its_queue_to_move",
    ),
]

_MATROSKA: list[_Row] = [
    (
        "the first header is WebM's",
        'body is None or _doc_type(body) not in (b"webm", b"matroska")',
        "body is None",
        "media/damage::what_is_no_recording_is_refused_with_its_code",
    ),
    (
        "a recording has one track",
        "if len(media) > 1:",
        "if not media:",
        "media/damage::what_is_no_recording_is_refused_with_its_code",
    ),
    (
        "nothing is unpacked",
        "if ENCODINGS in entry:",
        "if not entry:",
        "media/damage::what_is_no_recording_is_refused_with_its_code",
    ),
    (
        "attachments are refused",
        '        raise NotRecording("attachments", "the file carries attachments")',
        "        return self._pass(_size)",
        "media/damage::what_is_no_recording_is_refused_with_its_code",
    ),
    (
        "an element has a largest size",
        " or size > LARGEST:",
        ":",
        "reliability/media_contained::what_only_claims_to_be_large_is_not_held",
    ),
    (
        "the description of the tracks has a largest size",
        "if size > LARGEST_HEADER:",
        "if size < 0:",
        "media/damage::what_is_no_recording_is_refused_with_its_code",
    ),
    (
        "a codec's own header has a largest size",
        'if len(entry.get(CODEC_PRIVATE, b"")) > LARGEST_PRIVATE:',
        "if not entry:",
        "media/damage::what_is_no_recording_is_refused_with_its_code",
    ),
    (
        "a file has so many elements at most",
        "if min(self._elements_left, self._packets_left) < 0:",
        "if self._packets_left is None:",
        "media/damage::more_elements_than_any_meeting_has_are_refused",
    ),
    (
        "what only looks like an element counts as one",
        "            window.pos += 1\n            self._count()\n",
        "            window.pos += 1\n",
        "media/damage::what_only_looks_like_an_element_counts_as_one",
    ),
    (
        "packets that are laced together count each",
        "        self._packets_left -= len(frames)\n",
        "",
        "media/damage::packets_that_are_laced_together_count_each",
    ),
    (
        "laced sizes beyond their block are not read to their end",
        "while size <= len(body) and at < len(body) and body[at] == 255:",
        "while at < len(body) and body[at] == 255:",
        "media/damage::laced_sizes_beyond_their_block_are_not_read_to_their_end",
    ),
    (
        "a recording lasts a day at most",
        "if self._last > LONGEST_MS:",
        "if self._last < 0:",
        "media/damage::a_clock_that_creeps_for_ever_is_refused",
    ),
    (
        "another recording behind the first is not mixed in",
        "return () if self._follows(body) else self._stop()",
        "return ()",
        "media/damage::another_recording_behind_the_first_is_lost",
    ),
    (
        "a file cut between two Clusters lost its tail",
        "            self.tail_lost = True\n\n    # --- one method",
        "            self.tail_lost = False\n\n    # --- one method",
        "media/damage::a_finished_file_cut_between_two_clusters_lost_its_tail",
    ),
]

_POSTER: list[_Row] = [
    (
        "of a video without a picture only a few frames are tried",
        "islice(frames, _TRIES)",
        "frames",
        "media/poster::of_garbage_no_more_than_a_few_key_frames_are_tried",
    ),
]

_DECODING: list[_Row] = [
    (
        "a picture that tells its size inside is not decoded beyond the largest",
        'decoder.options = {"max_pixels": str(max_pixels)}',
        "decoder.options = {}",
        "media/poster::h264_too_large_to_decode_is_refused_by_its_decoder",
    ),
    (
        "sound is no longer than its packets say",
        "count = min(frame.samples, into.shape[1] - at)",
        "count = frame.samples",
        "media/decoding::sound_is_as_long_as_its_packets_say_whatever_they_are",
    ),
    (
        "how a decoder died is told",
        '_CODES.get(death.how, "limits")',
        '"limits"',
        "media/decoding::a_decoder_that_crashes_is_its_segments_fault_and_the_next_call_is_well",
    ),
]

_CONTAINED: list[_Row] = [
    (
        "a decoder can open no file and no socket",
        "resource.RLIMIT_NOFILE: _OUR_END + 1,",
        "resource.RLIMIT_NOFILE: 64,",
        "media/contained::no_file_and_no_socket_can_be_opened",
    ),
    (
        "a decoder has none of its parent's files",
        "os.closerange(_OUR_END + 1, _open_at_most())",
        "_open_at_most()",
        "media/contained::there_are_four_descriptors_and_three_of_them_are_nothing",
    ),
    (
        "a decoder has no environment, where the credentials are",
        "os.environ.clear()",
        "os.environ.copy()",
        "media/contained::there_is_no_environment",
    ),
    (
        "a decoder's memory is limited",
        "_size() + memory",
        "_size() + (memory << 20)",
        "media/contained::a_death_has_a_reason_and_the_next_request_a_new_child",
    ),
    (
        "a decoder dies with its parent",
        "prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL,",
        "prctl(_SET_PARENT_DEATH_SIGNAL, 0,",
        "media/contained::a_child_dies_with_its_parent",
    ),
    (
        "a decoder that answers more than was asked for is not listened to",
        "if size > (most if ending == _WELL else _MOST_WORDS):",
        "if size < 0:",
        "media/contained::who_answers_more_than_was_asked_for_is_not_listened_to",
    ),
    (
        "a decoder that died is taken off the list",
        "return os.waitpid(pid, 0)[1]",
        "return 0",
        "media/contained::hundreds_of_children_leave_nothing_behind",
    ),
    (
        "a decoder ends nothing that is its parent's",
        "    gc.freeze()\n",
        "    gc.isenabled()\n",
        "media/contained::what_the_parent_left_lying_about_is_not_ended_by_the_child",
    ),
]

_RENDER: list[_Row] = [
    (
        "a step that breaks off leaves no half file",
        "    finally:\n        store.abandon()\n",
        "    finally:\n        str(store)\n",
        "flows/products::what_breaks_off_leaves_no_half_file",
    ),
    (
        "a segment that can not be decoded is a fact",
        "            _tell(world, order, unreadable)\n",
        "            str(unreadable)\n",
        "flows/products::what_can_not_be_decoded_is_said_of_its_recording_and_the_rest_is_made_without",
    ),
    (
        "a step that can not be done is a fact",
        "        return [_failed(step, hold.target, unreadable, world.now())]\n",
        "        raise\n",
        "flows/products::a_step_that_can_not_be_done_is_failed_once_and_not_planned_again",
    ),
    (
        "who ends a file keeps the lease",
        "        self.hold.renew()\n        self.writing.front(data)",
        "        self.writing.front(data)",
        "flows/products::who_writes_for_long_keeps_the_lease",
    ),
]

_STEPS: list[_Row] = [
    (
        "another loudness is another step",
        "        step.parts,\n        step.lufs,\n    ]",
        "        step.parts,\n    ]",
        "core/plan::another_recipe_and_another_loudness_give_other_keys",
    ),
    (
        "another zero is another step",
        "        step.zero_at,\n",
        "",
        "core/plan::the_same_meeting_at_another_time_has_other_keys",
    ),
    (
        "another cut of a piece is another step",
        "[piece.source, piece.start, piece.end, piece.skip_ms, piece.ppm]",
        "[piece.source]",
        "core/plan::a_change_changes_only_what_depends_on_it",
    ),
    (
        "other parts are joined by another step",
        "        step.parts,\n        step.lufs,\n    ]",
        "        step.lufs,\n    ]",
        "core/plan::parts_under_other_keys_are_joined_by_another_step",
    ),
]

_PLAN: list[_Row] = [
    (
        "what failed is not tried again",
        " and step.target not in done.failed]",
        "]",
        "core/plan::what_failed_or_was_given_up_is_not_tried_again",
    ),
]

_DRIFT: list[_Row] = [
    (
        "a drift beyond what clocks have is nonsense",
        "LEAST_PPM < size <= MOST_PPM",
        "LEAST_PPM < size",
        "core/drift::only_what_is_sure_and_can_be_noticed_is_corrected",
    ),
]

_TIMELINE: list[_Row] = [
    (
        "a session lasts a day at most",
        "return Span(start, min(end, start + DAY_MS))",
        "return Span(start, end)",
        "core/layout::a_session_ends_after_a_day_and_so_do_its_pieces",
    ),
    (
        "a first timestamp of more than a day is not believed",
        "(first_ms if first_ms < DAY_MS else 0)",
        "first_ms",
        "core/timeline::a_segment_starts_where_its_best_clock_says",
    ),
]

_COPIES: list[_Row] = [
    (
        "a copy that breaks off leaves nothing",
        "unfinished.callback(self._writing.abandon)",
        "str(unfinished)",
        "media/copies::a_file_that_is_shorter_than_its_index_says_fails_and_leaves_nothing",
    ),
]

_SCAN: list[_Row] = [
    (
        "a long hole is not filled with what was heard last",
        "count <= _MOST_REPEATED and ",
        "",
        "media/holes::short_holes_ring_out_and_long_ones_are_silent",
    ),
    (
        "filler lasts no longer than what is missing",
        "min(_FILLER_US, missing_us - at_us)",
        "_FILLER_US",
        "media/holes::what_decodes_lasts_as_long_as_the_clock_says",
    ),
]

_COMPOSE: list[_Row] = [
    (
        "a composition is asked for once",
        "if composition.run == 0 or composition.phase in OVER:",
        "if True:",
        "flows/compose::the_same_request_of_the_same_session_is_the_same_composition",
    ),
    (
        "a run whose request died before it began is begun by the next",
        'if composition.phase == "requested":',
        "if composition.run == 0:",
        "flows/compose::a_request_that_died_is_made_good_by_the_next",
    ),
    (
        "a stream opens to whoever has its token",
        "if not ids.stream_opens(world.tag_key, token, session_id, wanted, world.now()):",
        "if not token:",
        "flows/compose::nobody_plays_with_a_token_that_is_not_ours",
    ),
    (
        "a stream's token opens the files of the stream alone",
        "if found.phase in OVER or not (name in (INIT, SOUND_FILE) or key in found.kept):",
        "if found.phase in OVER:",
        "flows/compose::a_token_is_over_after_a_day_and_opens_no_other_file",
    ),
    (
        "what is called off is said before it is deleted",
        "world.ledger.append(run.subject, e.CompositionCancelled(at=world.now(), run=run.number, by=by))",
        "pass",
        "flows/compose::what_is_called_off_leaves_nothing_behind",
    ),
    (
        "a composition is its session's",
        "if found.requested is None or found.requested.session_id != session_id:",
        "if found.requested is None:",
        "flows/compose::a_composition_is_its_session_s_alone",
    ),
]

_COMPOSING: list[_Row] = [
    (
        "what is planned is the session that was asked for",
        "if composition_id(session, request) != run.composition_id:",
        "if False:",
        "flows/compose::a_session_of_which_more_became_known_has_to_be_asked_for_again",
    ),
    (
        "who speaks is waited for",
        "if _unheard(world, session, request) and world.now()",
        "if False and world.now()",
        "flows/compose::who_speaks_is_waited_for_and_asked_for_where_nobody_did",
    ),
    (
        "a chunk that an earlier run rendered is not rendered again",
        "if not _there(world, run, composition, chunk)]",
        "if chunk]",
        "flows/compose::what_failed_is_resumed_where_it_stopped",
    ),
    (
        "who wrote for a run that was called off meanwhile takes it away",
        "    if _called_off(world, run):\n        clear(world, run.folder)",
        "    return",
        "flows/compose::what_is_called_off_leaves_nothing_behind",
    ),
    (
        "a finished composition has every frame",
        "if sum(fact.frames for fact in facts) != head.frames:",
        "if False:",
        "flows/compose::nothing_is_finished_while_a_frame_is_missing",
    ),
    (
        "what can not be decoded of a voice does not lose the mix",
        "    while bad is not None:",
        "    while False:",
        "flows/compose::a_voice_that_can_not_be_decoded_is_not_heard_and_the_rest_is",
    ),
]

_PROGRESS: list[_Row] = [
    (
        "who cancels does so for good",
        'if self._of_run(e.CompositionCancelled):\n            return "cancelled"',
        'if self._of_run(e.CompositionCancelled) and not self.finished:\n            return "cancelled"',
        "core/progress::the_last_run_s_facts_tell_the_phase",
    ),
    (
        "what was cancelled and asked for again lies elsewhere",
        "return generation(target(session_id, self.composition_id), len(gone))",
        "return generation(target(session_id, self.composition_id), 0)",
        "flows/compose::what_was_called_off_and_is_asked_for_again_lies_elsewhere",
    ),
]

_TABLE: dict[str, list[_Row]] = {
    "flows/compose.py": _COMPOSE,
    "flows/composing.py": _COMPOSING,
    "core/progress.py": _PROGRESS,
    "adapters/dynamodb.py": _DYNAMODB,
    "adapters/dynamodb_items.py": _DYNAMODB_ITEMS,
    "adapters/s3.py": _S3,
    "core/ids.py": _IDS,
    "core/events.py": _EVENTS,
    "flows/receive.py": _RECEIVE,
    "core/share.py": _SHARE,
    "core/naming.py": _NAMING,
    "flows/share.py": _FLOW_SHARE,
    "flows/review.py": _REVIEW,
    "routes/http.py": _HTTP,
    "routes/recordings.py": _RECORDINGS,
    "routes/webhooks.py": _WEBHOOKS,
    "adapters/callers.py": _CALLERS,
    "adapters/videosdk/signature.py": _SIGNATURE,
    "adapters/videosdk/post.py": _POST,
    "adapters/videosdk/news.py": _NEWS,
    "adapters/videosdk/wire.py": _WIRE,
    "adapters/videosdk/api.py": _API,
    "adapters/videosdk/answers.py": _ANSWERS,
    "adapters/secrets.py": _SECRETS,
    "flows/record.py": _RECORD,
    "flows/reconcile.py": _RECONCILE,
    "core/recording.py": _RECORDING,
    "flows/settle.py": _SETTLE,
    "flows/ingest.py": _INGEST,
    "flows/work.py": _FLOW_WORK,
    "flows/sweep.py": _SWEEP,
    "adapters/dynamodb_work.py": _DYNAMODB_WORK,
    "routes/batch.py": _BATCH,
    "media/matroska.py": _MATROSKA,
    "media/poster.py": _POSTER,
    "media/decoding.py": _DECODING,
    "media/contained.py": _CONTAINED,
    "media/copies.py": _COPIES,
    "media/scan.py": _SCAN,
    "core/timeline.py": _TIMELINE,
    "core/drift.py": _DRIFT,
    "core/plan.py": _PLAN,
    "core/steps.py": _STEPS,
    "flows/render.py": _RENDER,
}


def _test(short: str) -> str:
    """pytest's name of a test that the table names in short."""
    file, _, name = short.partition("::")
    room, _, module = file.rpartition("/")
    return f"tests/{room}/test_{module}.py::test_{name}"


MUTANTS = [
    Mutant(lost, f"chalicelib/{file}", old, new, (_test(test),))
    for file, rows in _TABLE.items()
    for lost, old, new, test in rows
]
