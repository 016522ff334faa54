// SPDX-License-Identifier: BSD-2-Clause
/* Searches in vector stores: told by path and body together, and by neither alone. */
#include <math.h>

#include "sem_test.h"

static const struct {
	const char *host, *path, *request, *answer;
	const char *api, *system, *source, *namespace, *query; /* NULL: none */
	int dimensions;                                        /* 0: none */
	int top_k;
	const char *documents;
} searches[] = {
	{ "api.openai.com", "/v1/vector_stores/vs_1/search",
	  "{'query':['who','where'],'max_num_results':3}",
	  "{'object':'vector_store.search_results.page','data':["
	  "{'file_id':'f-1','score':0.9,'content':[{'type':'text','text':'t'}]},"
	  "{'file_id':'f-2','score':0.25}]}",
	  "openai.vector_stores", NULL, "vs_1", NULL, "who\nwhere", 0, 3,
	  "[{'id':'f-1','score':0.9},{'id':'f-2','score':0.25}]" },
	{ "docs-abc.svc.aped-1.pinecone.io", "/query",
	  "{'vector':[1,2.5,3],'topK':2,'namespace':'n1','includeMetadata':true}",
	  "{'matches':[{'id':'a','score':0.5,'values':[]},{'id':'b'}],'usage':{'readUnits':1}}",
	  "pinecone.query", "pinecone", "docs-abc", "n1", NULL, 3, 2,
	  "[{'id':'a','score':0.5},{'id':'b'}]" },
	{ "localhost", "/records/namespaces/n2/search",
	  "{'query':{'inputs':{'text':'who'},'top_k':4},'fields':['f']}",
	  "{'result':{'hits':[{'_id':'a','_score':0.5,'fields':{}}]},'usage':{'read_units':1}}",
	  "pinecone.search", "pinecone", NULL, "n2", "who", 0, 4, "[{'id':'a','score':0.5}]" },
	{ "localhost", "/collections/c%201/points/search", "{'vector':[1,2],'limit':5}",
	  "{'result':[{'id':7,'version':0,'score':0.5,'payload':null}],'status':'ok','time':1}",
	  "qdrant.search", "qdrant", "c 1", NULL, NULL, 2, 5, "[{'id':'7','score':0.5}]" },
	{ "localhost", "/collections/c/points/query",
	  "{'query':{'nearest':{'text':'who','model':'bm25'}},'limit':1}",
	  "{'result':{'points':[{'id':'u','score':1}]},'status':'ok'}", "qdrant.search", "qdrant",
	  "c", NULL, "who", 0, 1, "[{'id':'u','score':1}]" },
	{ "localhost", "/collections/c/points/search/batch",
	  "{'searches':[{'vector':{'name':'v','vector':[1,2,3]},'limit':1},{'vector':[4]}]}",
	  "{'result':[[{'id':1,'score':0.5}],[{'id':2,'score':0.25}]]}", "qdrant.search", "qdrant",
	  "c", NULL, NULL, 3, 1, "[{'id':'1','score':0.5},{'id':'2','score':0.25}]" },
	{ "localhost", "/collections/c/points/query/groups",
	  "{'query':[1],'group_by':'g','limit':1}",
	  "{'result':{'groups':[{'id':'g1','hits':[{'id':1,'score':0.5}]}]}}", "qdrant.search",
	  "qdrant", "c", NULL, NULL, 1, 1, "[{'id':'1','score':0.5}]" },
	{ "localhost", "/api/v2/tenants/t/databases/d/collections/u-1/query",
	  "{'query_embeddings':[[1,2]],'n_results':2,'where':null}",
	  "{'ids':[['a','b']],'distances':[[0.5,0.75]],'documents':[['x','y']]}", "chroma.query",
	  "chroma", "u-1", "d", NULL, 2, 2,
	  "[{'id':'a','distance':0.5},{'id':'b','distance':0.75}]" },
	{ "localhost", "/api/v1/collections/u-1/query", "{'query_embeddings':[[1,2]]}",
	  "{'distances':null,'ids':[['a']]}", "chroma.query", "chroma", "u-1", NULL, NULL, 2, 0,
	  "[{'id':'a'}]" },
	{ "localhost", "/v1/graphql",
	  "{'query':'{ Get { Passage(nearText: {concepts: [\\'who is\\']} limit: 3) "
	  "{ title _additional { id certainty } } } }'}",
	  "{'data':{'Get':{'Passage':[{'title':'t','_additional':{'id':'a','certainty':0.5}}]}}}",
	  "weaviate.graphql", "weaviate", "Passage", NULL, "who is", 0, 3,
	  "[{'id':'a','score':0.5}]" },
	{ "localhost", "/v1/graphql",
	  "{'query':'query{Get{P(hybrid:{query:\\'who\\',alpha:0.5}){_additional{id score}}}}'}",
	  "{'data':{'Get':{'P':[{'_additional':{'id':'a','score':'0.5'}}]}}}", "weaviate.graphql",
	  "weaviate", "P", NULL, "who", 0, 0, "[{'id':'a','score':0.5}]" },
	{ "localhost", "/v2/vectordb/entities/search",
	  "{'dbName':'d','collectionName':'c','data':[[1,2,3]],'annsField':'v','limit':2}",
	  "{'code':0,'cost':0,'data':[{'distance':0.5,'id':448300048035776800}]}", "milvus.search",
	  "milvus", "c", "d", NULL, 3, 2, "[{'id':'448300048035776800','distance':0.5}]" },
	{ "localhost:9200", "/docs/_search",
	  "{'knn':{'field':'v','query_vector':[1,2],'k':3,'num_candidates':9},'size':2}",
	  "{'took':1,'hits':{'hits':[{'_index':'docs','_id':'a','_score':0.5,'_source':{}}]}}",
	  "elasticsearch.search", "elasticsearch", "docs", NULL, NULL, 2, 2,
	  "[{'id':'a','score':0.5}]" },
	{ "localhost:9200", "/_search",
	  "{'retriever':{'rrf':{'retrievers':[{'standard':{}},{'knn':{'field':'v',"
	  "'query_vector_builder':{'text_embedding':{'model_id':'m','model_text':'who'}},"
	  "'k':3}}]}}}",
	  "{'hits':{'hits':[]}}", "elasticsearch.search", "elasticsearch", NULL, NULL, "who", 0, 3,
	  NULL },
	{ "localhost:9200", "/docs/_search",
	  "{'query':{'bool':{'must':[{'knn':{'v':{'vector':[1,2],'k':3}}}]}}}",
	  "{'hits':{'hits':[{'_id':'a','_score':null}]}}", "opensearch.search", "opensearch",
	  "docs", NULL, NULL, 2, 3, "[{'id':'a'}]" },
	{ "bedrock-agent-runtime.us-east-1.amazonaws.com", "/knowledgebases/KB/retrieve",
	  "{'retrievalQuery':{'text':'who'},'retrievalConfiguration':"
	  "{'vectorSearchConfiguration':{'numberOfResults':2}}}",
	  "{'retrievalResults':[{'content':{'text':'t'},'score':0.5,"
	  "'location':{'type':'S3','s3Location':{'uri':'s3://b/k'}}}]}",
	  "bedrock.retrieve", NULL, "KB", NULL, "who", 0, 2, "[{'id':'s3://b/k','score':0.5}]" },
};

static void assert_optional(struct sv got, const char *want)
{
	assert_sv(got, want ? want : "");
}

static void test_searches(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(searches); i++) {
		_cleanup_call_ struct sem_call *c = call_to(searches[i].host, searches[i].path);

		assert_non_null(c);
		assert_null(c->operation);
		send_request(c, searches[i].request);
		send_answer(c, 200, searches[i].answer);
		sem_finish(c, false);
		assert_true(c->confirmed);
		assert_string_equal(c->operation, "retrieval");
		assert_string_equal(c->api, searches[i].api);
		assert_optional(c->db_system, searches[i].system);
		assert_optional(c->data_source, searches[i].source);
		assert_optional(c->db_namespace, searches[i].namespace);
		assert_optional(c->retrieval_query, searches[i].query);
		assert_int_equal(c->query_dimensions,
				 searches[i].dimensions ? searches[i].dimensions : SEM_NONE);
		if (searches[i].top_k)
			assert_true(c->top_k == searches[i].top_k);
		else
			assert_true(isnan(c->top_k));
		assert_json(c->retrieval_documents,
			    searches[i].documents ? searches[i].documents : "null");
		assert_false(c->response_cut);
	}
}

/* A path that another service may have too, with a body that is not the store's. */
static void test_others(void **state)
{
	static const struct {
		const char *path, *request;
	} cases[] = {
		{ "/query", "{'query':'select 1'}" },
		{ "/query", "{'vector':[1],'limit':3}" },
		{ "/records/namespaces/n/search", "{'query':'x'}" },
		{ "/v1/vector_stores/vs_1/search", "{'filters':{}}" },
		{ "/collections/c/points/search", "{'filter':{}}" },
		{ "/api/v1/collections/c/query", "{'query':'x'}" },
		{ "/v1/graphql", "{'query':'{ Get { P(limit: 3) { title } } }'}" },
		{ "/v1/graphql", "{'query':'{ repository(name: x) { id } }'}" },
		{ "/v2/vectordb/entities/search", "{'data':[[1]]}" },
		{ "/docs/_search", "{'query':{'match':{'knn':'x'}}}" },
		{ "/docs/_search", "{'knn':{'field':'v'}}" },
		{ "/docs/_search", "{}" },
		{ "/knowledgebases/KB/retrieve", "{'query':'x'}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_call_ struct sem_call *c = call_to("localhost", cases[i].path);

		assert_non_null(c);
		send_request(c, cases[i].request);
		send_answer(c, 200, "{'ok':true}");
		sem_finish(c, false);
		assert_false(c->confirmed);
		assert_null(c->operation);
		assert_null(c->api);
	}
}

static void test_other_paths(void **state)
{
	static const char *const paths[] = {
		"/v1/query",
		"/collections/c/points",
		"/collections/c/points/scroll",
		"/points/search",
		"/collections/c/points/search/x",
		"/api/v1/collections/c/get",
		"/graphql",
		"/docs/_count",
		"/v2/vectordb/entities/query",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		assert_null(call_to("localhost", paths[i]));
}

static void test_errors(void **state)
{
	static const struct {
		const char *path, *request, *answer, *message;
	} cases[] = {
		{ "/v2/vectordb/entities/search", "{'collectionName':'c','data':[[1]]}",
		  "{'code':100,'message':'no collection'}", "no collection" },
		{ "/v1/graphql", "{'query':'{Get{P(bm25:{query:\\'x\\'}){a}}}'}",
		  "{'data':{'Get':{'P':null}},'errors':[{'message':'no class','path':['Get']}]}",
		  "no class" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_call_ struct sem_call *c = call_to("localhost", cases[i].path);

		send_request(c, cases[i].request);
		send_answer(c, 200, cases[i].answer);
		assert_true(c->has_error);
		assert_sv(c->error.message, cases[i].message);
	}
}

/* Documents of a cut answer are the first of the whole's, each whole or without its last part. */
static void test_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(searches); i++) {
		_cleanup_free_ char *request = quoted(searches[i].request);
		_cleanup_free_ char *answer = quoted(searches[i].answer);
		size_t request_len = strlen(request), answer_len = strlen(answer);

		for (size_t n = 0; n < request_len; n++) {
			_cleanup_call_ struct sem_call *c =
				call_to(searches[i].host, searches[i].path);
			_cleanup_free_ char *part = malloc(n + 1);

			memcpy(part, request, n);
			sem_request(c, (struct sv){ part, n }, true);
			assert_true(c->confirmed == !!c->operation);
			sem_finish(c, true);
		}
		for (size_t n = 0; n < answer_len; n++) {
			_cleanup_call_ struct sem_call *c =
				call_to(searches[i].host, searches[i].path);
			_cleanup_free_ char *part = malloc(n + 1);

			send_request(c, searches[i].request);
			memcpy(part, answer, n);
			sem_response(c, 200, (struct sv){ part, n }, true);
			sem_finish(c, true);
			assert_true(c->response_cut);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_searches),    cmocka_unit_test(test_others),
		cmocka_unit_test(test_other_paths), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
