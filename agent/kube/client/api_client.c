#include "agent/kube/client/api_client.h"

#include "agent/kube/client/refusal.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/*
 * One easy handle a request in one multi handle, which keeps the connections. A transfer is in the
 * client's list from its start until it is done or cancelled; callbacks of libcurl run within
 * api_client_work only, so nothing here is locked.
 */
#define CONNECT_TIMEOUT_MS 5000L
/* A list that trickles is given up: less than this for so long. */
#define SLOW_BYTES_PER_S 1000L
#define SLOW_S 20L
/* A dead peer is noticed within half a minute, on an idle connection too. */
#define KEEPALIVE_IDLE_S 10
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_PROBES 3
#define UNACKNOWLEDGED_MS 20000
#define BUFFER_BYTES (64L << 10)
#define KEPT_CONNECTIONS 16L
/* Service account tokens are about 1 KiB; a header line must end somewhere. */
#define TOKEN_SIZE ((size_t)32 << 10)

struct api_client {
    const struct kube_access *access;
    CURLM *multi;
    struct api_transfer *transfers;
};

struct api_transfer {
    struct api_client *client;
    struct api_transfer *next;
    struct api_request request;
    CURL *easy;
    struct curl_slist *headers;
    curl_off_t counted; /* bytes that were told */
    struct refusal refusal;
    bool given_up;
    char error[CURL_ERROR_SIZE];
};

struct api_client *api_client_new(const struct kube_access *access)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return NULL;
    }
    struct api_client *client = calloc(1, sizeof(*client));
    if (client != NULL) {
        client->access = access;
        client->multi = curl_multi_init();
    }
    if (client == NULL || client->multi == NULL) {
        free(client);
        curl_global_cleanup();
        return NULL;
    }
    curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, KEPT_CONNECTIONS);
    return client;
}

static void unlink_transfer(struct api_client *client, const struct api_transfer *transfer)
{
    struct api_transfer **link = &client->transfers;
    while (*link != NULL && *link != transfer) {
        link = &(*link)->next;
    }
    if (*link != NULL) {
        *link = transfer->next;
    }
}

static void free_headers(struct curl_slist *headers)
{
    for (struct curl_slist *at = headers; at != NULL; at = at->next) {
        explicit_bzero(at->data, strlen(at->data)); /* one of them is the token */
    }
    curl_slist_free_all(headers);
}

void api_client_cancel(struct api_client *client, struct api_transfer *transfer)
{
    if (transfer == NULL) {
        return;
    }
    unlink_transfer(client, transfer);
    if (transfer->easy != NULL) {
        curl_multi_remove_handle(client->multi, transfer->easy);
        curl_easy_cleanup(transfer->easy);
    }
    free_headers(transfer->headers);
    free(transfer);
}

void api_client_free(struct api_client *client)
{
    if (client == NULL) {
        return;
    }
    while (client->transfers != NULL) {
        api_client_cancel(client, client->transfers);
    }
    curl_multi_cleanup(client->multi);
    curl_global_cleanup();
    free(client);
}

/* ---- what libcurl calls ---- */

static long status_of(const struct api_transfer *transfer)
{
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static void count_bytes(struct api_transfer *transfer)
{
    curl_off_t received = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
    if (received > transfer->counted) {
        uint64_t more = (uint64_t)(received - transfer->counted);
        transfer->counted = received;
        transfer->request.received(transfer->request.context, more);
    }
}

/* The empty line ends the head; interim answers have heads too. */
static size_t on_header(char *line, size_t unit, size_t count, void *context)
{
    struct api_transfer *transfer = context;
    size_t length = unit * count;
    if ((length == 1 || length == 2) && line[length - 1] == '\n' && status_of(transfer) == 200) {
        transfer->request.started(transfer->request.context);
    }
    return length;
}

static size_t on_body(char *bytes, size_t unit, size_t count, void *context)
{
    struct api_transfer *transfer = context;
    size_t length = unit * count;
    struct slice body = {bytes, length};
    if (status_of(transfer) != 200) {
        refusal_add(&transfer->refusal, body);
        return length;
    }
    transfer->given_up = !transfer->request.body(transfer->request.context, body);
    return transfer->given_up ? 0 : length;
}

static int on_socket(void *context, curl_socket_t socket, curlsocktype purpose)
{
    (void)context;
    (void)purpose;
    static const struct {
        int name;
        int value;
    } options[] = {{TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
                   {TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
                   {TCP_KEEPCNT, KEEPALIVE_PROBES},
                   {TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS}};
    int on = 1;
    /* Without them it works as well, only finds out later. */
    (void)setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        int value = options[i].value;
        (void)setsockopt(socket, IPPROTO_TCP, options[i].name, &value, sizeof(value));
    }
    return CURL_SOCKOPT_OK;
}

/* ---- a request ---- */

static bool add_header(struct api_transfer *transfer, const char *line)
{
    struct curl_slist *longer = curl_slist_append(transfer->headers, line);
    if (longer == NULL) {
        return false;
    }
    transfer->headers = longer;
    return true;
}

static bool add_token(struct api_transfer *transfer, char error_out[static API_ERROR_SIZE])
{
    const struct kube_access *access = transfer->client->access;
    char *line = malloc(TOKEN_SIZE);
    if (line == NULL) {
        snprintf(error_out, API_ERROR_SIZE, "out of memory");
        return false;
    }
    size_t prefix = (size_t)snprintf(line, TOKEN_SIZE, "Authorization: Bearer ");
    int status = kube_access_token(access, line + prefix, TOKEN_SIZE - prefix);
    bool good = status == 0 && (line[prefix] == '\0' || add_header(transfer, line));
    if (status != 0) {
        snprintf(error_out, API_ERROR_SIZE, "the token of %.120s cannot be used: %s",
                 access->token_file == NULL ? "the kubeconfig" : access->token_file,
                 strerrordesc_np(-status));
    } else if (!good) {
        snprintf(error_out, API_ERROR_SIZE, "out of memory");
    }
    explicit_bzero(line, TOKEN_SIZE);
    free(line);
    return good;
}

static bool add_headers(struct api_transfer *transfer, char error_out[static API_ERROR_SIZE])
{
    char accept[160];
    snprintf(accept, sizeof(accept), "Accept: %s", transfer->request.accept);
    if (!add_header(transfer, accept)) {
        snprintf(error_out, API_ERROR_SIZE, "out of memory");
        return false;
    }
    return add_token(transfer, error_out);
}

static CURLcode set_pem(CURL *easy, const struct kube_pem *pem, CURLoption file, CURLoption blob)
{
    if (pem->text != NULL) {
        struct curl_blob bytes = {pem->text, strlen(pem->text), CURL_BLOB_NOCOPY};
        return curl_easy_setopt(easy, blob, &bytes);
    }
    return pem->file == NULL ? CURLE_OK : curl_easy_setopt(easy, file, pem->file);
}

static CURLcode set_trust(CURL *easy, const struct kube_access *access)
{
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, access->insecure ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, access->insecure ? 0L : 2L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L); /* the file is replaced at times */
    CURLcode ca = set_pem(easy, &access->ca, CURLOPT_CAINFO, CURLOPT_CAINFO_BLOB);
    CURLcode certificate =
        set_pem(easy, &access->certificate, CURLOPT_SSLCERT, CURLOPT_SSLCERT_BLOB);
    CURLcode key = set_pem(easy, &access->key, CURLOPT_SSLKEY, CURLOPT_SSLKEY_BLOB);
    return ca != CURLE_OK ? ca : certificate != CURLE_OK ? certificate : key;
}

static void set_transport(struct api_transfer *transfer)
{
    CURL *easy = transfer->easy;
    const struct api_request *request = &transfer->request;
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* no waiting for a resolver that hangs */
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    /* Rather wait for a shared connection; only TLS brings one, without it the wait is in vain. */
    bool may_share = strncmp(transfer->client->access->server, "https:", strlen("https:")) == 0;
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, may_share ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, request->fresh ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "vethscope");
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)request->timeout_s);
    if (!request->stalls) {
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES_PER_S);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, SLOW_S);
    }
}

static void set_callbacks(struct api_transfer *transfer)
{
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
}

static CURLcode set_url(struct api_transfer *transfer, const char *path)
{
    char *url = NULL;
    if (asprintf(&url, "%s%s", transfer->client->access->server, path) < 0) {
        return CURLE_OUT_OF_MEMORY;
    }
    CURLcode code = curl_easy_setopt(transfer->easy, CURLOPT_URL, url);
    free(url);
    return code;
}

static bool prepare(struct api_transfer *transfer, char error_out[static API_ERROR_SIZE])
{
    transfer->easy = curl_easy_init();
    if (transfer->easy == NULL) {
        snprintf(error_out, API_ERROR_SIZE, "out of memory");
        return false;
    }
    if (!add_headers(transfer, error_out)) {
        return false;
    }
    set_transport(transfer);
    set_callbacks(transfer);
    CURLcode code = set_trust(transfer->easy, transfer->client->access);
    if (code == CURLE_OK) {
        code = set_url(transfer, transfer->request.path);
    }
    transfer->request.path = NULL; /* the caller's no longer */
    if (code != CURLE_OK) {
        snprintf(error_out, API_ERROR_SIZE, "%s", curl_easy_strerror(code));
    }
    return code == CURLE_OK;
}

struct api_transfer *api_client_start(struct api_client *client, const struct api_request *request,
                                      char error_out[static API_ERROR_SIZE])
{
    struct api_transfer *transfer = calloc(1, sizeof(*transfer));
    if (transfer == NULL) {
        snprintf(error_out, API_ERROR_SIZE, "out of memory");
        return NULL;
    }
    transfer->client = client;
    transfer->request = *request;
    if (!prepare(transfer, error_out) ||
        curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK) {
        api_client_cancel(client, transfer);
        return NULL;
    }
    transfer->next = client->transfers;
    client->transfers = transfer;
    return transfer;
}

/* ---- the end of one ---- */

static void finish(struct api_transfer *transfer, CURLcode code)
{
    char text[API_ERROR_SIZE] = "";
    struct api_answer answer = {.status = (unsigned)status_of(transfer), .error = text};
    curl_off_t retry_after = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after);
    count_bytes(transfer);
    if (transfer->given_up) {
        answer.failure = API_GIVEN_UP;
    } else if (code != CURLE_OK) {
        answer.failure = API_TRANSPORT;
        const char *detail = transfer->error[0] != '\0' ? transfer->error : NULL;
        refusal_clean(text, sizeof(text), detail == NULL ? curl_easy_strerror(code) : detail);
    } else if (answer.status != 200) {
        answer.failure = API_REFUSED;
        refusal_describe(&transfer->refusal, answer.status, text, sizeof(text));
        answer.retry_after_s = refusal_retry_after(&transfer->refusal);
        if (retry_after > answer.retry_after_s && retry_after <= INT32_MAX) {
            answer.retry_after_s = (unsigned)retry_after;
        }
    }
    transfer->request.done(transfer->request.context, &answer);
    api_client_cancel(transfer->client, transfer);
}

void api_client_work(struct api_client *client, int timeout_ms)
{
    int running = 0;
    curl_multi_poll(client->multi, NULL, 0, timeout_ms, NULL);
    curl_multi_perform(client->multi, &running);
    /* libcurl counts bytes only after it has handed them on. */
    for (struct api_transfer *at = client->transfers; at != NULL; at = at->next) {
        count_bytes(at);
    }
    int left = 0;
    CURLMsg *message = NULL;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        struct api_transfer *transfer = NULL;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        if (message->msg == CURLMSG_DONE && transfer != NULL) {
            finish(transfer, code);
        }
    }
}

void api_client_wake(struct api_client *client)
{
    curl_multi_wakeup(client->multi);
}
